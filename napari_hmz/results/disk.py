"""What the operating system says when a disk is full, as an error of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from napari_hmz.errors import DiskFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REMEDY = "Free some space, then go on with `hmz attach RUN`: what is written is kept."


@contextmanager
def writing(what: object) -> Iterator[None]:
    """Turn "no space left" into `DiskFull`; what is written already stays."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = f"{what} cannot be written: {error.strerror}."
            raise DiskFull(message, remedy=_REMEDY) from error
        raise


def write_whole(path: Path, body: bytes) -> None:
    """Write a file through a temporary name, so that no reader sees a part of it; empty: none."""
    if not body:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_name(f"{path.name}.{token_hex(4)}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary.write_bytes(body)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
