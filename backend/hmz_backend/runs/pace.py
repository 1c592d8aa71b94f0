"""How fast a run goes, and so how long it will take: measured over its last minute."""

from collections import deque
from dataclasses import dataclass, field

SPAN_S = 60.0


@dataclass
class Pace:
    """Voxels done over time.

    Parameters
    ----------
    started_s
        When counting began, on a monotonic clock.
    """

    started_s: float
    voxels: int = 0
    blocks: int = 0
    _marks: "deque[tuple[float, int]]" = field(default_factory=deque)

    def add(self, voxels: int, blocks: int, now_s: float) -> None:
        """Note that so many more voxels, in so many blocks, are done."""
        self.voxels += voxels
        self.blocks += blocks
        self._marks.append((now_s, voxels))
        while self._marks[0][0] < now_s - SPAN_S:
            self.started_s = self._marks.popleft()[0]

    def seconds_left(self, voxels: int, now_s: float) -> float | None:
        """Return how long `voxels` more will take; none before anything is done."""
        recent = sum(count for _, count in self._marks)
        return voxels * (now_s - self.started_s) / recent if recent else None
