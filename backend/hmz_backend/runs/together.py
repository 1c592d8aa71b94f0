"""The order in which chunks are asked of a client that reads many of them at once.

A stack of planes is decoded plane by plane: to cut one chunk is to read all planes behind it, so
all chunks of those planes that the run needs are asked for before the next ones. Runs on the event
loop, touches no files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.grid import Index
from hmz_backend.stores.staged import MISSING, StagedVolume
from napari_hmz.schema import Sizes


@dataclass
class Together:
    """Finishes one box of chunks before the next is begun, for one run.

    Parameters
    ----------
    staged
        The volume's chunks.
    needed
        Whether the run has to read a chunk, in the shape of the grid.
    extents
        Of a box, in voxels by axis: what the client reads at once.
    """

    staged: StagedVolume
    needed: NDArray[np.bool_]
    extents: Sizes
    _box: Index | None = None

    def ordered(self, wanted: Sequence[Index], limit: int) -> list[Index]:
        """Return what is wanted, best first, but box by box, with all that each box lacks."""
        boxes: dict[Index, list[Index]] = {}
        if wanted and self._box is not None:
            boxes[self._box] = []
        for index in wanted:
            boxes.setdefault(self._box_of(index), []).append(index)
        found: dict[Index, None] = {}
        for box, best in boxes.items():
            lacking = dict.fromkeys([*best, *self._lacking(box, limit)])
            if lacking and not found:
                self._box = box
            found |= lacking
            if len(found) >= limit:
                break
        return list(found)[:limit]

    def _box_of(self, index: Index) -> Index:
        grid = self.staged.grid
        return tuple(
            number * chunk // self.extents[axis]
            for number, chunk, axis in zip(index, grid.chunks, grid.axes, strict=True)
        )

    def _lacking(self, box: Index, limit: int) -> list[Index]:
        """Return chunks of a box that the run reads and that have not come, in raster order."""
        grid = self.staged.grid
        spans = [
            _chunks_in(at, self.extents[axis], chunk)
            for at, axis, chunk in zip(box, grid.axes, grid.chunks, strict=True)
        ]
        window = tuple(slice(*span) for span in spans)
        lacking = self.needed[window] & (self.staged.marks[window] == MISSING)
        places = np.argwhere(lacking)[:limit] + [start for start, _ in spans]
        return [tuple(place) for place in places.tolist()]


def _chunks_in(box: int, extent: int, chunk: int) -> tuple[int, int]:
    """Return the chunks that begin in a box, along one axis; there may be fewer."""
    return -(-box * extent // chunk), -(-(box + 1) * extent // chunk)
