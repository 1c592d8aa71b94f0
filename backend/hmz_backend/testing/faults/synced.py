"""`python -m hmz_backend.testing.faults.synced LOG serve ...`: `hmz-backend`, with a log of syncs.

Each file or folder that the process syncs is written down once that is done: `power.py` takes what
is not in the log. What SQLite syncs by itself is not seen.
"""

import os
import runpy
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


EVERYTHING = 0
"""Stands in the log for all that was written before."""


def write_down_syncs(log: Path) -> None:
    """Let `os.fsync` and `os.sync` add to `log`: inode, when (ns since 1970), size in bytes."""
    sync, sync_all = os.fsync, os.sync

    def note(inode: int, at_ns: int, size: int) -> None:
        with log.open("a") as file:
            file.write(f"{inode} {at_ns} {size}\n")

    def noted(fd: "FileDescriptorLike") -> None:
        before = os.fstat(fd if isinstance(fd, int) else fd.fileno())
        sync(fd)
        note(before.st_ino, time.time_ns(), before.st_size)

    def all_noted() -> None:
        begun_ns = time.time_ns()
        sync_all()
        note(EVERYTHING, begun_ns, 0)

    os.fsync, os.sync = noted, all_noted


def main() -> None:
    """Run `hmz-backend` with the words that follow the log's path."""
    write_down_syncs(Path(sys.argv.pop(1)))
    runpy.run_module("hmz_backend", run_name="__main__")


if __name__ == "__main__":
    main()
