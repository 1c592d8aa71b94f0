"""What the engine can do: taught by a run only while it keeps the engine busy."""

from dataclasses import dataclass


@dataclass
class Throughput:
    """Blocks and the seconds that the engine took for them.

    A run that waits for its image says nothing of the engine; neither does the first round of
    blocks, in which the model is loaded.

    Parameters
    ----------
    at_once
        How many tiles the engine computes at the same time.
    """

    at_once: int
    blocks: int = 0
    seconds: float = 0.0
    _first: int | None = None
    _done: int = 0
    _busy_since_s: float | None = None

    def note(self, now_s: float, *, done: int, under_way: int) -> None:
        """Note how many blocks of the run are done and under way now."""
        if self._first is None:
            self._first = self._done = done
        if self._busy_since_s is not None and self._done - self._first >= self.at_once:
            self.blocks += done - self._done
            self.seconds += now_s - self._busy_since_s
        self._done = done
        self._busy_since_s = now_s if under_way >= self.at_once else None
