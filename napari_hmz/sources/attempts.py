"""Reading again what a network share or a remote store fails to give once."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PAUSES_S: Final = (0.1, 0.4, 1.6)
"""Between the attempts: as long as a share takes to come back when its server changes hands."""
_FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def attempted(read: Callable[[], T]) -> T:
    """Return what `read` returns, trying again while the fault may pass.

    Raises
    ------
    Exception
        What the last attempt raised; what never passes, such as a missing file, at once.
    """
    for pause_s in PAUSES_S:
        try:
            return read()
        except Exception as error:  # remote stores have errors of their own, sorted out here
            if not _may_pass(error):
                raise
            time.sleep(pause_s)  # there is no news of a share that comes back
    return read()


def _may_pass(error: Exception) -> bool:
    if isinstance(error, _FOR_GOOD):
        return False
    is_network = type(error).__module__.partition(".")[0] in ("aiohttp", "botocore")
    return isinstance(error, OSError) or is_network
