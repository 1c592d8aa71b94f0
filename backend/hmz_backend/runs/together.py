"""The order in which chunks are asked of a client that reads many of them at once.

A stack of planes is decoded plane by plane: to cut one chunk is to read all planes behind it, so
all chunks of those planes that the run needs are asked for before the next ones. Runs on the event
loop, touches no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hmz_backend.planning.chunks import plan_parts
from hmz_backend.stores.grid import Index
from hmz_backend.stores.staged import MISSING, StagedVolume
from napari_hmz.schema import Plan, Sizes

Window = tuple[tuple[int, int], ...]
"""First and last (excluded) chunk along each axis."""


@dataclass
class Together:
    """Finishes one box of chunks before the next is begun, for one run.

    Parameters
    ----------
    staged
        The volume's chunks.
    plan
        Of the run.
    extents
        Of a box, in voxels by axis: what the client reads at once.
    """

    staged: StagedVolume
    plan: Plan
    extents: Sizes
    _box: Index | None = None
    _parts: tuple[Window, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find what the run reads at all."""
        ranges = {self.staged.grid.ranges(part) for part in plan_parts(self.plan)}
        self._parts = tuple(tuple((r.start, r.stop) for r in part) for part in ranges)

    def ordered(self, wanted: Sequence[Index], limit: int) -> list[Index]:
        """Return what is wanted, best first, behind all that its box lacks."""
        if not wanted:
            return []
        first = [] if self._box is None else self._lacking(self._box, limit)
        if not first:
            self._box = self._box_of(wanted[0])
            first = self._lacking(self._box, limit)
        best = [index for index in wanted if self._box_of(index) == self._box]
        return list(dict.fromkeys([*best, *first, *wanted]))[:limit]

    def _box_of(self, index: Index) -> Index:
        grid = self.staged.grid
        return tuple(
            number * chunk // self.extents[axis]
            for number, chunk, axis in zip(index, grid.chunks, grid.axes, strict=True)
        )

    def _lacking(self, box: Index, limit: int) -> list[Index]:
        """Return chunks of a box that the run reads and that have not come, in raster order."""
        found: list[Index] = []
        for part in self._parts:
            spans = [
                _overlap(at, self.extents[axis], chunk, span)
                for at, axis, chunk, span in zip(
                    box, self.staged.grid.axes, self.staged.grid.chunks, part, strict=True
                )
            ]
            window = self.staged.marks[tuple(slice(*span) for span in spans)]
            missing = np.argwhere(window == MISSING)[:limit]
            found += map(tuple, (missing + [start for start, _ in spans]).tolist())
        return found


def _overlap(box: int, extent: int, chunk: int, part: tuple[int, int]) -> tuple[int, int]:
    """Return the chunks of a part that begin in a box, along one axis."""
    first, end = -(-box * extent // chunk), -(-(box + 1) * extent // chunk)
    start = max(first, part[0])
    return start, max(start, min(end, part[1]))
