"""A window: a few may be inside at once, and who waits is let in by fair turns.

Runs on the event loop; no locks are needed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hmz_backend.shares.turn import Turn
from hmz_backend.shares.two_classes import TwoClasses


@dataclass
class Window:
    """Lets `size` callers in at once.

    Parameters
    ----------
    size
        How many may be inside.
    queue
        Who waits.
    """

    size: int
    queue: "TwoClasses[asyncio.Future[None]]" = field(default_factory=TwoClasses)
    inside: int = 0
    waiting: int = 0
    """How many wait."""

    @asynccontextmanager
    async def place(self, turn: Turn) -> AsyncIterator[None]:
        """Wait for a place, and give it back at the end."""
        await self._enter(turn)
        try:
            yield
        finally:
            self._leave(turn)

    async def _enter(self, turn: Turn) -> None:
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = self.queue.push(turn, let_in)
        self.waiting += 1
        self._admit()
        try:
            await let_in
        except asyncio.CancelledError:
            if let_in.done() and not let_in.cancelled():  # let in and cancelled at the same moment
                self._leave(turn)
            elif not entry.gone:
                self.waiting -= 1
                self.queue.remove(entry)
            raise

    def _leave(self, turn: Turn) -> None:
        self.inside -= 1
        self.queue.release(turn)
        self._admit()

    def _admit(self) -> None:
        while self.inside < self.size and (entry := self.queue.pop()) is not None:
            self.waiting -= 1
            if entry.item.cancelled():  # who waited has not heard of it yet
                self.queue.release(entry.turn)
                continue
            self.inside += 1
            entry.item.set_result(None)
