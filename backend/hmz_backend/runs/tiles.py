"""Cutting tiles: from the chunks of volumes to what the engine gets. Runs in worker threads."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.planning import Block
from hmz_backend.runs.blanks import Outline
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.feed import Feed
from hmz_backend.stores.grid import Index
from napari_hmz.schema import AxisName


@dataclass(frozen=True, slots=True)
class Tiles:
    """Cuts the tiles of one run.

    Parameters
    ----------
    brief
        What was fixed.
    feeds
        What feeds each input, the first one first.
    """

    brief: Brief
    feeds: tuple[Feed, ...]

    def needs(self, block: Block) -> Iterator[Index]:
        """Yield the chunks that a block's tiles read, each with the number of its feed in front."""
        return itertools.chain.from_iterable(feed.needs(block.index) for feed in self.feeds)

    def is_missing(self, need: Index) -> bool:
        """Return whether a chunk is not there yet."""
        number, *index = need
        return self.feeds[number].staged.is_missing(tuple(index))

    def outline(self, block: Block) -> Outline | None:
        """Return what tells tiles apart of which all chunks are absent; none if some are not."""
        found = [feed.outline(block.index) for feed in self.feeds]
        return None if None in found else tuple(part for each in found for part in each or ())

    def cut(self, block: Block) -> TileRequest:
        """Return a block's tiles as the engine takes them.

        Raises
        ------
        NonFiniteData
            If float data have NaN or infinity in a tile.
        FeedBroken
            If a chunk must be sent again.
        """
        plan, (first, *others) = self.brief.plan, self.feeds
        more = {feed.spec.name: feed.seen(block.index) for feed in others}
        return TileRequest(
            model=plan.model,
            version=plan.version,
            inputs={feed.spec.name: feed.cut(block.index) for feed in self.feeds},
            parameters=self.brief.parameters,
            statistics=first.seen(block.index),
            more_statistics={name: each for name, each in more.items() if each is not None},
            origin=self._origin(block),
        )

    def _origin(self, block: Block) -> dict[AxisName, int]:
        """Return where the tile begins, along the axes that the model rescales."""
        rule = self.brief.card.tile.rescale
        axes = rule.axes if rule else ()
        return {axis: block.tile[axis][0] for axis in axes if axis in block.tile}
