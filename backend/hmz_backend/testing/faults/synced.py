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


def write_down_syncs(log: Path) -> None:
    """Let `os.fsync` add a line to `log`: what was synced (inode), and when (ns since 1970)."""
    sync = os.fsync

    def noted(fd: "FileDescriptorLike") -> None:
        sync(fd)
        handle = fd if isinstance(fd, int) else fd.fileno()
        with log.open("a") as file:
            file.write(f"{os.fstat(handle).st_ino} {time.time_ns()}\n")

    os.fsync = noted


def main() -> None:
    """Run `hmz-backend` with the words that follow the log's path."""
    write_down_syncs(Path(sys.argv.pop(1)))
    runpy.run_module("hmz_backend", run_name="__main__")


if __name__ == "__main__":
    main()
