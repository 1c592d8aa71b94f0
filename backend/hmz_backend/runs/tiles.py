"""Cutting tiles: from the chunks of a volume to what the engine gets. Runs in worker threads."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.planning import Block, read_tile, tile_part
from hmz_backend.planning.chunks import channel_parts, plan_parts
from hmz_backend.runs.blanks import Outline
from hmz_backend.runs.brief import Brief
from hmz_backend.stores.grid import Index
from hmz_backend.stores.reader import VolumeReader
from hmz_backend.stores.staged import StagedVolume
from napari_hmz.errors import NonFiniteData
from napari_hmz.schema import AxisName, Plan, VolumeStatistics


@dataclass(frozen=True, slots=True)
class Tiles:
    """Cuts the tiles of one run.

    Parameters
    ----------
    brief
        What was fixed.
    reader
        Reads the volume.
    """

    brief: Brief
    reader: VolumeReader

    def needs(self, block: Block) -> Iterator[Index]:
        """Yield the chunks that a block's tile reads."""
        plan = self.brief.plan
        for part in channel_parts(plan, tile_part(plan, block)):
            yield from self.reader.staged.grid.touching(part)

    def outline(self, block: Block) -> Outline | None:
        """Return what tells a tile apart of which all chunks are absent; none if some are not.

        Channels have statistics of their own, so they count by their numbers.
        """
        plan = self.brief.plan
        part = tile_part(plan, block)
        if not all(map(self.reader.staged.is_absent, channel_parts(plan, part))):
            return None
        origins = {axis: 0 if axis == "c" else block.tile[axis][0] for axis in part}
        return tuple((a, low - origins[a], high - origins[a]) for a, (low, high) in part.items())

    def cut(self, block: Block) -> TileRequest:
        """Return a block's tile as the engine takes it.

        Raises
        ------
        NonFiniteData
            If float data have NaN or infinity in the tile.
        StagedChunkBroken
            If a chunk must be sent again.
        """
        plan, spec = self.brief.plan, self.brief.card.inputs[0]
        tile = read_tile(self.reader.read, plan, self.brief.source, spec, block)
        if tile.dtype.kind == "f" and not np.isfinite(tile).all():
            where = ", ".join(f"{axis} {low}:{high}" for axis, (low, high) in block.core.items())
            raise NonFiniteData(f"The image has NaN or infinite values at or near {where}.")
        return TileRequest(
            model=plan.model,
            version=plan.version,
            inputs={spec.name: tile},
            parameters=self.brief.parameters,
            statistics=self._statistics(block),
            origin=self._origin(block),
        )

    def _origin(self, block: Block) -> dict[AxisName, int]:
        """Return where the tile begins, along the axes that the model rescales."""
        rule = self.brief.card.tile.rescale
        axes = rule.axes if rule else ()
        return {axis: block.tile[axis][0] for axis in axes if axis in block.tile}

    def _statistics(self, block: Block) -> VolumeStatistics | None:
        """Return the statistics of the channels that the model sees in this tile."""
        whole = self.brief.statistics
        if whole is None or len(whole.channels) == 1 or "c" not in block.tile:
            return whole
        numbers = self.brief.plan.channels or range(*block.core["c"])
        chosen = tuple(whole.channels[number] for number in numbers)
        return whole.model_copy(update={"channels": chosen})


def count_chunks(plan: Plan, staged: StagedVolume) -> tuple[int, int]:
    """Return how many chunks all tiles of a plan read, and how many of them are there."""
    parts = {str(staged.grid.ranges(part)): part for part in plan_parts(plan)}
    counts = [staged.count(part) for part in parts.values()]
    return sum(needed for needed, _ in counts), sum(held for _, held in counts)
