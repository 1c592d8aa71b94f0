"""An event loop whose clock jumps: what takes an hour of sleeping is over at once, and exact."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Looks at sockets as any selector, and instead of waiting lets the time pass."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; `timeout` is over afterwards."""
        self.now_s += timeout or 0.0
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop for tasks that only sleep and wait for each other: no threads, no network."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Return the seconds that have passed for the tasks."""
        return self._jump.now_s


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns in a loop of its own."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work)
