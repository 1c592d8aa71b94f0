"""What the work at hand is about: its run, its block, the person it is done for.

It belongs to the task that does the work, to tasks that begin there, and to the threads that help;
log lines tell it. The request's id is in `request_id`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

Words = Mapping[str, str | int]
_CURRENT: Final[ContextVar[Words]] = ContextVar("about")


def known() -> Words:
    """Return what is known of the work at hand."""
    return _CURRENT.get({})


def enter_person(pseudonym: str) -> None:
    """Let everything that this task does from now on be done for a person; empty: for nobody."""
    if known().get("person", "") != pseudonym:
        kept = {name: word for name, word in known().items() if name != "person"}
        _CURRENT.set({**kept, "person": pseudonym} if pseudonym else kept)


@contextmanager
def about(**words: str | int) -> Iterator[None]:
    """Let what is done in the context be about these words, too."""
    token = _CURRENT.set({**known(), **words})
    try:
        yield
    finally:
        _CURRENT.reset(token)
