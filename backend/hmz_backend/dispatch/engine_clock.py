"""How long each tile has had the engine, where more of them are inside than it computes at once.

The engine does not say which of the tiles that it was given it works on. So those that are inside
share its instances: with two tiles at one instance, each gets half a second of every second. All
together get exactly the time for which instances had something to do.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class EngineClock:
    """Counts seconds of an engine's instances.

    Parameters
    ----------
    instances
        How many tiles are computed at the same time.
    clock_s
        Tells seconds that only go on.
    """

    instances: int
    clock_s: Callable[[], float] = time.monotonic
    _inside: int = 0
    _at_s: float = 0.0
    _each_s: float = 0.0
    """What one who had always been inside would have got."""

    def enter(self) -> float:
        """Let a tile in; return the mark that `leave` wants."""
        self._advance()
        self._inside += 1
        return self._each_s

    def leave(self, mark: float) -> float:
        """Let it out; return the seconds of an instance that it has had."""
        self._advance()
        self._inside -= 1
        return self._each_s - mark

    @contextmanager
    def stay(self) -> "Iterator[Stay]":
        """Let a tile in, and out at the end: then its time is known."""
        stay, mark = Stay(), self.enter()
        try:
            yield stay
        finally:
            stay.engine_s = self.leave(mark)

    def _advance(self) -> None:
        now_s = self.clock_s()
        if self._inside:
            part = min(1.0, self.instances / self._inside)
            self._each_s += part * (now_s - self._at_s)
        self._at_s = now_s


@dataclass
class Stay:
    """One tile's time at the engine.

    Parameters
    ----------
    engine_s
        Seconds of an instance; known once the tile has left.
    """

    engine_s: float = 0.0
