"""One process at a time: a file that is there while somebody is at work.

Threads: may be used from several threads, and processes, at once.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.05


@contextlib.contextmanager
def alone(lock: Path, longest_s: float) -> Iterator[None]:
    """Hold the lock file; one that is older than the work can take belongs to a dead process.

    Parameters
    ----------
    lock
        The file; its folder is there.
    longest_s
        The longest time that the work can take.
    """
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > longest_s:
                    lock.unlink()
            time.sleep(_POLL_S)  # a file tells no other way that it is gone
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
