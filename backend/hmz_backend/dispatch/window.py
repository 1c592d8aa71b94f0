"""A window: a few may be inside at once, and who waits is let in by priority.

Runs on the event loop; no locks are needed.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Priority = tuple[int, ...]


@dataclass
class Window:
    """Lets `size` callers in at once; the lowest priority first, then who came first.

    Parameters
    ----------
    size
        How many may be inside.
    """

    size: int
    inside: int = 0
    _queue: "list[tuple[Priority, int, asyncio.Future[None]]]" = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not entry[2].done() for entry in self._queue)

    @asynccontextmanager
    async def place(self, priority: Priority) -> AsyncIterator[None]:
        """Wait for a place, and give it back at the end."""
        await self._enter(priority)
        try:
            yield
        finally:
            self.inside -= 1
            self._admit()

    async def _enter(self, priority: Priority) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._numbers), turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and cancelled at the same moment
                self.inside -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._queue and self.inside < self.size:
            turn = heapq.heappop(self._queue)[2]
            if not turn.done():
                self.inside += 1
                turn.set_result(None)
