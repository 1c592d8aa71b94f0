"""The id of the request that is being answered, for whoever writes something down meanwhile.

It belongs to the task that answers the request, and to tasks that begin there: a run's records name
the request that has started it.
"""

from contextvars import ContextVar
from typing import Final

_CURRENT: Final[ContextVar[str]] = ContextVar("request_id", default="")


def enter_request(number: str) -> None:
    """Let everything that this task does from now on belong to a request."""
    _CURRENT.set(number)


def current_request() -> str:
    """Return the id of the request that this task belongs to; empty outside of any."""
    return _CURRENT.get()
