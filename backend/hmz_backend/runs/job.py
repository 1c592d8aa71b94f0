"""The job: one run's brief with everything at hand to do its blocks.

Threads: `tile`, `keep` and the works run in worker threads, many blocks at once; the rest is cheap.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from math import prod
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.planning import Block, block_at, blocks_in
from hmz_backend.planning.order import run_order
from hmz_backend.runs import threads as own_threads
from hmz_backend.runs.blanks import Blank, Blanks
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.cropping import CropWork
from hmz_backend.runs.feed import Feed
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.frontier import Frontier
from hmz_backend.runs.output_work import OutputWork
from hmz_backend.runs.receipt import Receipt
from hmz_backend.runs.tiles import Tiles
from hmz_backend.usage.amount import MICROSECONDS
from napari_hmz.schema import Region

BLOCKS_AT_HAND = 1024
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """What the blocks of one run need.

    Parameters
    ----------
    brief, folder
        What was fixed, and where files go.
    tiles
        Cuts tiles of the volumes.
    works
        Per output name, what is done with it.
    threads
        Where heavy work runs.
    """

    brief: Brief
    folder: RunFolder
    tiles: Tiles
    works: Mapping[str, OutputWork]
    threads: Threads

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, from a thread of the backend's own."""
        return await own_threads.in_thread(self.threads, work, *args, **kwargs)

    @property
    def joins(self) -> bool:
        """Whether some output becomes final only after all blocks."""
        return any(work.joins for work in self.works.values())

    def prepare(self) -> None:
        """Work out the order of the blocks, in a thread: a very large run has millions."""
        len(self._order)

    def block(self, number: int) -> Block:
        """Return one block."""
        return self._blocks(number)

    def voxels(self, number: int) -> int:
        """Return how many voxels of the region a block covers."""
        core = self.block(number).core
        return prod(stop - start for start, stop in core.values())

    def tile(self, block: Block) -> TileRequest:
        """Return what the engine gets for a block."""
        works = self.works.items()
        used = {name: work.used(block) for name, work in works if isinstance(work, CropWork)}
        return replace(self.tiles.cut(block), used=used)

    def keep(
        self, block: Block, results: Mapping[str, NDArray[Any]], engine_s: float = 0
    ) -> Receipt:
        """Write what is to be kept of a tile's results."""
        parts = {name: work.take(block, results[name]) for name, work in self.works.items()}
        engine_us = round(engine_s * MICROSECONDS)
        return Receipt(block=block.index, outputs=parts, engine_us=engine_us)

    def nothing(self, number: int) -> Mapping[str, NDArray[Any]] | None:
        """Return a block's results if they are known to be zeros, without reading its tile."""
        if not self.blanks.declared:
            return None
        outline = self.tiles.outline(self.block(number))
        return None if outline is None else self.blanks.of_outline(outline)

    def learn_outline(self, block: Block, blank: Blank) -> None:
        """Note what a tile is, if all of its chunks are absent: others with its outline are too."""
        if (outline := self.tiles.outline(block)) is not None:
            self.blanks.learn_outline(outline, blank)

    def skip(self, nothing: Mapping[int, Mapping[str, NDArray[Any]]]) -> list[Receipt]:
        """Do as `keep` does for blocks whose results are zeros."""
        return [
            Receipt(
                block=number,
                outputs={
                    name: work.skip(self.block(number), results[name])
                    for name, work in self.works.items()
                },
            )
            for number, results in nothing.items()
        ]

    def frontier(self, pending: NDArray[np.bool_]) -> Frontier:
        """Return what decides which block comes next."""
        return Frontier(
            order=self._order,
            pending=pending,
            needs=lambda number: self.tiles.needs(self.block(number)),
            is_missing=self.tiles.is_missing,
        )

    def blocks_touching(self, region: Region) -> list[int]:
        """Return the blocks whose core meets a region of the volume; unnamed axes count whole."""
        return blocks_in(self.brief.plan, region)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What feeds each input, the first one first."""
        return self.tiles.feeds

    @cached_property
    def blanks(self) -> Blanks:
        """What is known of tiles without content."""
        return Blanks(self.brief.card.tile.skip_empty)

    @cached_property
    def _blocks(self) -> Callable[[int], Block]:
        """What returns a block; those under way are asked for again and again."""
        return lru_cache(BLOCKS_AT_HAND)(partial(block_at, self.brief.plan))

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return run_order(self.brief.plan, self.feeds[0].source.together)
