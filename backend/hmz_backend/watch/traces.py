"""The traces seam: what a request, a run, a block and a tile took, and within what.

A span is a context; spans that are begun inside are its parts, in the same task, in tasks that
begin there, and in threads that help.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Protocol

Word = str | int
TRACEPARENT: Final = "traceparent"
_PASSED_ON: Final[ContextVar[Mapping[str, str]]] = ContextVar("passed_on")


class Span(Protocol):
    """One step that goes on."""

    @property
    def is_kept(self) -> bool:
        """Whether it is worth telling anything of it."""

    def tell(self, **words: Word) -> None:
        """Add what has become known of it."""

    def name(self, name: str) -> None:
        """Call it something else."""


class Traces(Protocol):
    """Takes spans."""

    def span(self, name: str, **words: Word) -> AbstractContextManager[Span]:
        """Return a part of the span that goes on; an error that leaves it is noted."""

    def request(self, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """Return the span of a request; it is a part of the client's, if the headers name one."""

    def close(self) -> None:
        """Send what has not been sent."""


class NoSpan:
    """Where nothing is traced."""

    is_kept = False

    def tell(self, **words: Word) -> None:
        """Forget it."""

    def name(self, name: str) -> None:
        """Forget it."""


class NoTraces:
    """Traces nothing; a `Traces`."""

    def __init__(self) -> None:
        self._span = nullcontext(NoSpan())

    def span(self, name: str, **words: Word) -> AbstractContextManager[Span]:  # noqa: ARG002 # the seam's
        """Return a context in which nothing is noted."""
        return self._span

    def request(self, headers: Mapping[str, str]) -> AbstractContextManager[Span]:  # noqa: ARG002 # as above
        """Return a context in which nothing is noted."""
        return self._span

    def close(self) -> None:
        """There is nothing to send."""


@contextmanager
def passing_on(headers: Mapping[str, str]) -> Iterator[None]:
    """Let requests to engines carry these headers, too."""
    token = _PASSED_ON.set(headers)
    try:
        yield
    finally:
        _PASSED_ON.reset(token)


def passed_on() -> Mapping[str, str]:
    """Return the headers that requests to engines carry: which span they are a part of."""
    return _PASSED_ON.get({})
