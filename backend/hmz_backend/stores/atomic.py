"""Files that are either whole or not there."""

import errno
import os
import shutil
from pathlib import Path
from secrets import token_hex

from napari_hmz.errors import DiskFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_whole(path: Path, body: bytes) -> None:
    """Write `body` to `path` through a temporary name, so that no reader sees a part of it.

    Nothing is synced: after a loss of power a file may be torn, and its digest tells.

    Raises
    ------
    DiskFull
        If there is no space; nothing is left behind.
    """
    temporary = _temporary(path)
    try:
        try:
            temporary.write_bytes(body)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(body)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in FULL:
            raise DiskFull("The backend's disk is full.") from error
        raise


def renew(path: Path) -> None:
    """Put a synced copy in the place of a file, if there is one.

    Another process that has it open, and was stalled, then goes on writing to what nobody reads.

    Raises
    ------
    DiskFull
        If there is no space; the file is as it was.
    """
    temporary = _temporary(path)
    try:
        shutil.copyfile(path, temporary)
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())  # the name must not come to the disk before the bytes
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in FULL:
            raise DiskFull("The backend's disk is full.") from error
        if error.errno != errno.ENOENT:
            raise


def append_whole(path: Path, body: bytes) -> None:
    """Add `body` to the end of a file; what could be added only in part is taken back.

    Raises
    ------
    DiskFull
        If there is no space.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(body)
    except OSError as error:
        os.truncate(path, before)
        if error.errno in FULL:
            raise DiskFull("The backend's disk is full.") from error
        raise


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{token_hex(4)}.part")


def is_leftover(name: str) -> bool:
    """Return whether a file of this name was left by a write that never ended."""
    return name.startswith(".") and name.endswith(".part")
