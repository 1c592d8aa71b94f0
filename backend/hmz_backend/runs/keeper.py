"""The keeper of one run: writes down what blocks have become while the driver goes on.

```
driver    block ends ── receipt ──┐            block ends ── receipt ──┐
keeper                            └─ waits a moment, keeps all of them at once ─ and so on
```

A commit costs about the same for one block as for ten, so what ends within `TOGETHER_S` is kept
together, unless nothing else is under way. One batch at a time, in the order in which blocks ended.
Runs on the event loop of the driver.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from hmz_backend.runs.receipt import Receipt

TOGETHER_S = 0.04  # too short to be seen, and several tiles of the quickest models


@dataclass(eq=False)
class Keeper:
    """Keeps receipts.

    Parameters
    ----------
    keep
        Keeps some of them.
    kept
        Called after each batch, however it ended.
    """

    keep: Callable[[Sequence[Receipt]], Awaitable[None]]
    kept: Callable[[], None]
    _waiting: list[Receipt] = field(default_factory=list)
    _under_way: int = 0
    _begun_s: float = -math.inf
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    def __len__(self) -> int:
        """Return how many receipts are not kept yet."""
        return len(self._waiting) + self._under_way

    def take(self, receipts: Sequence[Receipt]) -> None:
        """Keep receipts soon."""
        self._waiting += receipts
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._run())

    def hurry(self) -> None:
        """Keep at once what waits."""
        self._hurry.set()

    def check(self) -> None:
        """Raise what a batch has failed with."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def settle(self) -> None:
        """Return once everything is kept; raises as `check` does."""
        while self._task is not None:
            self.hurry()
            await self._task

    async def stop(self) -> list[Receipt]:
        """Keep no more; return what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # `check` raises it
        left, self._waiting = self._waiting, []
        return left

    async def _run(self) -> None:
        while self._waiting:
            await self._gather()
            self._hurry.clear()
            batch, self._waiting = self._waiting, []
            self._under_way, self._begun_s = len(batch), time.monotonic()
            try:
                await self.keep(batch)
            finally:
                self._under_way = 0
                self.kept()
        self._task = None

    async def _gather(self) -> None:
        """Wait until `TOGETHER_S` after the last batch began, or there is a hurry."""
        pause_s = self._begun_s + TOGETHER_S - time.monotonic()
        if pause_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause_s)
