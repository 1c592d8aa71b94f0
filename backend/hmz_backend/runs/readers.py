"""How many blocks of a run have still to read each chunk: what a streamed volume may forget.

Four bytes per chunk of the volume. Runs on the event loop.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import Block, tile_part
from hmz_backend.planning.chunks import channel_parts, chunk_readers
from hmz_backend.planning.roles import ordered
from hmz_backend.stores.grid import ChunkGrid, Index
from napari_hmz.schema import Plan, VolumeRequest


@dataclass
class Readers:
    """Counts the blocks of one run that are not done, per chunk.

    Parameters
    ----------
    plan, grid
        The run's blocks, and the volume's chunks.
    left
        How many blocks that are not done read each chunk, in the shape of the grid; int32.
    needed
        Whether any block of the run reads it, done or not.
    """

    plan: Plan
    grid: ChunkGrid
    left: NDArray[np.int32]
    needed: NDArray[np.bool_]

    @classmethod
    def of(cls, plan: Plan, volume: VolumeRequest, pending: NDArray[np.bool_]) -> Self:
        """Count for the blocks that are `pending`, one flag per block."""
        left = _count(plan, volume, pending)
        needed = _count(plan, volume, np.ones_like(pending)) > 0
        return cls(plan, ChunkGrid.of(volume), left, needed)

    def reads(self, index: Index) -> bool:
        """Return whether a block that is not done reads a chunk."""
        return bool(self.left[index])

    def done(self, block: Block) -> set[Index]:
        """Count a block as done, once; return the chunks that nothing reads any more."""
        places = {
            place: None
            for part in channel_parts(self.plan, tile_part(self.plan, block))
            for place in self.grid.touching(part)
        }
        for place in places:
            self.left[place] -= 1
        return {place for place in places if not self.left[place]}

    def count(self, marks: NDArray[np.uint8]) -> tuple[int, int]:
        """Return how many chunks the run needs, and how many are there or not needed any more."""
        there = self.needed & ((marks != 0) | (self.left == 0))
        return int(np.count_nonzero(self.needed)), int(np.count_nonzero(there))


def _count(plan: Plan, volume: VolumeRequest, flags: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return, per chunk, how many flagged blocks read it: sums over boxes, axis by axis."""
    axes = ordered(plan.grid)
    counts = flags.reshape([plan.grid[axis] for axis in axes]).astype(np.int32)
    counts = counts.transpose([axes.index(axis) for axis in volume.axes])
    for number, axis in enumerate(volume.axes):
        readers = chunk_readers(plan, volume, axis)
        starts = np.array([blocks.start for blocks in readers])
        stops = np.array([max(blocks.start, blocks.stop) for blocks in readers])
        sums = np.cumsum(counts, axis=number, dtype=np.int32)
        sums = np.insert(sums, 0, 0, axis=number)
        counts = np.take(sums, stops, axis=number) - np.take(sums, starts, axis=number)
    return np.ascontiguousarray(counts)
