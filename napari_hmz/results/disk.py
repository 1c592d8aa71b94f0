"""What the operating system says when a disk is full, as an error of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from napari_hmz.errors import DiskFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def writing(what: object) -> Iterator[None]:
    """Turn "no space left" into `DiskFull`; what is written already stays."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"{what} cannot be written: {error.strerror}.") from error
        raise
