"""A locked file: the lock is the operating system's, and goes with the process that holds it."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})

Answer = Literal["held", "taken", "impossible"]
"""To who asks for a lock: it is theirs, it is another's, or the file system has none."""


def lock(handle: int) -> Answer:
    """Lock an open file, if nobody else has; never waits.

    Parameters
    ----------
    handle
        Of the file, open for writing. Two handles of one process are strangers to each other.
    """
    try:
        _lock(handle)
    except OSError as error:
        return "taken" if error.errno in _TAKEN else "impossible"
    return "held"


if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # past all that is written: nobody else could read what is locked

    def _lock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

    def let_go(handle: int, file: Path) -> None:
        """Remove a locked file, after it is closed: before, Windows lets nobody."""
        os.close(handle)
        with suppress(OSError):  # another has locked it by now
            file.unlink()

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_go(handle: int, file: Path) -> None:
        """Remove a locked file, while it is locked: so it is nobody else's by then."""
        with suppress(OSError):  # somebody has tidied up
            file.unlink()
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_UN)  # children that were forked meanwhile have it, too
        os.close(handle)
