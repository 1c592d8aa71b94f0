"""What was asked elsewhere is remembered for a while, and asked for once at a time.

Callers that want the same thing at the same moment share one question, and none of them ends it:
the one who began it may be gone before the answer is there.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]
Asked = Callable[[], Awaitable[tuple[T, float]]]
"""Gives an answer, and for how many seconds it may be remembered."""
Note = Callable[[bool], None]
MOST: Final = 20_000  # answers: of each token a hash and a principal
FRESH_S: Final = 600.0  # age up to which a document is used without a question
KEPT_S: Final = 86400.0  # age up to which it is used while the issuer does not answer
PAUSE_S: Final = 10.0  # between two questions for a newer one, whoever wants it


def unnoted(_: bool) -> None:
    """Let nobody know."""


class Recall(Generic[T]):
    """Answers by key, the oldest forgotten first.

    Parameters
    ----------
    most
        How many are kept.
    clock_s
        Tells seconds that only go on.
    note
        Called with whether an answer was at hand, each time.
    """

    def __init__(
        self, most: int = MOST, clock_s: Clock = time.monotonic, note: Note = unnoted
    ) -> None:
        self._most = most
        self._note = note
        self._clock_s = clock_s
        self._known: OrderedDict[bytes, tuple[T, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[T]] = {}

    async def get(self, secret: str, ask: Asked[T]) -> T:
        """Return the answer for a token; only its hash is kept.

        Errors are not remembered.
        """
        key = hashlib.sha256(secret.encode()).digest()
        found = self._known.get(key)
        if found is not None and self._clock_s() < found[1]:
            self._note(True)
            return found[0]
        self._note(False)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()

    def __len__(self) -> int:
        return len(self._known)

    async def _ask(self, key: bytes, ask: Asked[T]) -> T:
        try:
            answer, lasts_s = await ask()
            self._known[key] = (answer, self._clock_s() + lasts_s)
            self._known.move_to_end(key)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
            return answer
        finally:
            del self._asking[key]


class KeptDocument(Generic[T]):
    """One document of an issuer: fetched anew when it is old, kept while nobody answers.

    Parameters
    ----------
    fetch
        Gets it.
    clock_s
        Tells seconds that only go on.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock_s: Clock = time.monotonic) -> None:
        self._fetch, self._clock_s = fetch, clock_s
        self._found: tuple[T, float] | None = None
        self._fetching: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the document, at once if it is not too old; an old one is fetched meanwhile.

        Raises
        ------
        IssuerUnavailable
            If there is none, and none is to be had.
        """
        if self._found is None or self._age_s() > KEPT_S:
            return await asyncio.shield(self._fetched())
        if self._age_s() > FRESH_S:
            self._fetched()
        return self._found[0]

    async def newer(self) -> T:
        """Return the document as it is now, or was a pause ago; raises as `get` does."""
        if self._found is not None and self._age_s() < PAUSE_S:
            return self._found[0]
        return await asyncio.shield(self._fetched())

    def _age_s(self) -> float:
        return self._clock_s() - self._found[1] if self._found else float("inf")

    def _fetched(self) -> "asyncio.Task[T]":
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_once())
            self._fetching.add_done_callback(_looked_at)
        return self._fetching

    async def _fetch_once(self) -> T:
        try:
            document = await self._fetch()
            self._found = (document, self._clock_s())
            return document
        finally:
            self._fetching = None


def _looked_at(task: "asyncio.Task[T]") -> None:
    """Let a failure count as seen, even if whoever waited for it has gone."""
    if not task.cancelled():
        task.exception()
