"""One input of a run: the volume that feeds it, and what its tiles read of that. In worker threads.

Chunks of all inputs are told apart by the number of their feed in front of their index.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import block_at, read_tile, tile_part
from hmz_backend.planning.chunks import channel_parts, plan_parts
from hmz_backend.runs.blanks import Outline
from hmz_backend.stores.grid import Index
from hmz_backend.stores.reader import StagedChunkBroken, VolumeReader
from hmz_backend.stores.staged import StagedVolume
from napari_hmz.errors import NonFiniteData
from napari_hmz.schema import InputSpec, Plan, VolumeRequest, VolumeStatistics


class FeedBroken(Exception):
    """A chunk of an input that was good when it came must be sent again.

    Parameters
    ----------
    number, key
        Of the feed, and of its chunk.
    """

    def __init__(self, number: int, key: str) -> None:
        super().__init__(f"Chunk {key} of input {number} is damaged.")
        self.number, self.key = number, key


@dataclass(frozen=True, slots=True)
class Feed:
    """What feeds one input.

    Parameters
    ----------
    number
        Its place among the inputs that are fed.
    spec, volume, source
        The input, and the volume for it.
    plan
        The run's plan as this input sees it.
    reader
        Reads the volume.
    statistics
        Of the volume.
    """

    number: int
    spec: InputSpec
    volume: str
    source: VolumeRequest
    plan: Plan
    reader: VolumeReader
    statistics: VolumeStatistics | None

    @property
    def staged(self) -> StagedVolume:
        """The volume's chunks."""
        return self.reader.staged

    def needs(self, number: int) -> Iterator[Index]:
        """Yield the chunks that a block's tile reads, the feed's number in front."""
        for part in channel_parts(self.plan, tile_part(self.plan, block_at(self.plan, number))):
            for index in self.staged.grid.touching(part):
                yield (self.number, *index)

    def outline(self, number: int) -> Outline | None:
        """Return what tells a tile apart of which all chunks are absent; none if some are not.

        Channels have statistics of their own, so they count by their numbers.
        """
        block = block_at(self.plan, number)
        part = tile_part(self.plan, block)
        if not all(map(self.staged.is_absent, channel_parts(self.plan, part))):
            return None
        origins = {axis: 0 if axis == "c" else block.tile[axis][0] for axis in part}
        return tuple((a, low - origins[a], high - origins[a]) for a, (low, high) in part.items())

    def cut(self, number: int) -> NDArray[Any]:
        """Return a block's tile as the input takes it.

        Raises
        ------
        NonFiniteData
            If float data have NaN or infinity in the tile.
        FeedBroken
            If a chunk must be sent again.
        """
        block = block_at(self.plan, number)
        try:
            tile = read_tile(self.reader.read, self.plan, self.source, self.spec, block)
        except StagedChunkBroken as error:
            raise FeedBroken(self.number, error.key) from error
        if tile.dtype.kind == "f" and not np.isfinite(tile).all():
            where = ", ".join(f"{axis} {low}:{high}" for axis, (low, high) in block.core.items())
            raise NonFiniteData(f"The image has NaN or infinite values at or near {where}.")
        return tile

    def seen(self, number: int) -> VolumeStatistics | None:
        """Return the statistics of the channels that the model sees in a block's tile."""
        whole, block = self.statistics, block_at(self.plan, number)
        if whole is None or len(whole.channels) == 1 or "c" not in block.tile:
            return whole
        numbers = self.plan.channels or range(*block.core["c"])
        chosen = tuple(whole.channels[number] for number in numbers)
        return whole.model_copy(update={"channels": chosen})

    def count(self) -> tuple[int, int]:
        """Return how many chunks all tiles read, and how many of them are there."""
        return count_chunks(self.plan, self.staged)


def count_chunks(plan: Plan, staged: StagedVolume) -> tuple[int, int]:
    """Return how many chunks all tiles of a plan read, and how many of them are there."""
    parts = {str(staged.grid.ranges(part)): part for part in plan_parts(plan)}
    counts = [staged.count(part) for part in parts.values()]
    return sum(needed for needed, _ in counts), sum(held for _, held in counts)
