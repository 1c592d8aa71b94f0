"""Joining: the labels of all blocks become objects with final ids, whatever the order of blocks.

```
block task      localise ─► core labels (a chunk), TileLabels (a small file)
                                 │
Joiner.add      matches with the neighbours that are in; a tile is dropped once all of its
                neighbours are in: at any time only the front of the work is kept
                                 │
Joiner.finish   union-find, final ids 1 … N in raster order of each object's first voxel
                                 │
second pass     FinalIds.table(block)[core labels] ─► final chunk
```

A `Joiner` belongs to one thread at a time. Memory: the tiles of the front (in `kept`, which may
be a folder), 16 bytes per object and block it lies in, 16 bytes per join.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.matching import Pairs, Rule, matches
from hmz_backend.stitching.unionfind import UnionFind, ranks

_UINT32_IDS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class FinalIds:
    """The final id of every object of every block."""

    count: int
    """How many objects there are: ids are 1 … count."""
    bases: NDArray[np.int64]
    """Per block, where its objects begin in `ids`; int64."""
    counts: NDArray[np.int64]
    """Per block, how many objects it has."""
    ids: NDArray[np.int64]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The labels' data type: uint32 as long as that holds them all, else uint64."""
        return np.dtype(np.uint32 if self.count <= _UINT32_IDS else np.uint64)

    def table(self, block: int) -> NDArray[Any]:
        """Return the final id for each local id of a block; index 0 is background.

        `table(block)[core_labels]` is the block's final chunk.
        """
        table = np.zeros(int(self.counts[block]) + 1, self.dtype)
        base = int(self.bases[block])
        table[1:] = self.ids[base : base + int(self.counts[block])]
        return table


class Joiner:
    """Collects the labels of all blocks of one output, and joins them.

    Parameters
    ----------
    blocks
        How many blocks there are.
    neighbours
        The blocks that each one must be compared with; symmetric.
    rule, threshold
        As in the model's `stitch`.
    kept
        Holds tiles until their neighbours are in; a dictionary if not given.
    """

    def __init__(
        self,
        blocks: int,
        neighbours: Callable[[int], Sequence[int]],
        *,
        rule: Rule,
        threshold: float,
        kept: MutableMapping[int, TileLabels] | None = None,
    ) -> None:
        self._neighbours = neighbours
        self._rule: Rule = rule
        self._threshold = threshold
        self._kept = {} if kept is None else kept
        self._bases = np.full(blocks, -1, np.int64)
        self._counts = np.zeros(blocks, np.int64)
        self._firsts: list[NDArray[np.int64]] = []
        self._pairs: list[Pairs] = []
        self._total = 0

    def add(self, block: int, tile: TileLabels) -> Pairs:
        """Take the labels of one block, once, in any order.

        Returns
        -------
        The joins with blocks that are in: two columns of provisional ids. The provisional id of
        local id `n` of a block is `base(block) + n`; they are unique and never change, but
        depend on the order in which blocks came.

        Raises
        ------
        ValueError
            If the block is in already.
        """
        if self._bases[block] >= 0:
            raise ValueError(f"block {block} is in already")
        self._bases[block], self._counts[block] = self._total, tile.count
        self._total += tile.count
        self._firsts.append(tile.first)
        self._kept[block] = tile
        around = self._neighbours(block)
        found = [self._compare(block, tile, other) for other in around if self._is_in(other)]
        self._drop([block, *around])
        pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
        self._pairs.append(pairs - 1)
        return pairs

    def base(self, block: int) -> int:
        """Return what is added to a block's local ids to make them provisional ids."""
        return int(self._bases[block])

    def finish(self) -> FinalIds:
        """Return the final ids; all blocks must be in.

        Raises
        ------
        ValueError
            If a block is missing.
        """
        missing = np.flatnonzero(self._bases < 0)
        if len(missing):
            raise ValueError(f"{len(missing)} blocks are missing, the first is {missing[0]}")
        first = np.concatenate([np.empty(0, np.int64), *self._firsts])
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        # In numbers that follow the raster, the smallest member of a set is its first voxel.
        sets = UnionFind(len(rank))
        pairs = rank[np.concatenate([np.empty((0, 2), np.int64), *self._pairs])]
        sets.union(pairs[:, 0], pairs[:, 1])
        ids, count = ranks(sets.roots())
        return FinalIds(count, self._bases.copy(), self._counts.copy(), ids[rank])

    @property
    def front(self) -> int:
        """How many tiles are kept for neighbours still to come."""
        return len(self._kept)

    def _is_in(self, block: int) -> bool:
        return bool(self._bases[block] >= 0)

    def _compare(self, block: int, tile: TileLabels, other: int) -> Pairs:
        # The lower block comes first, so that the result is the same in any order.
        if block < other:
            pairs = matches(tile, self._kept[other], self._rule, self._threshold)
            return pairs + np.array([self.base(block), self.base(other)], np.int64)
        pairs = matches(self._kept[other], tile, self._rule, self._threshold)
        return pairs + np.array([self.base(other), self.base(block)], np.int64)

    def _drop(self, candidates: Sequence[int]) -> None:
        for block in candidates:
            if block in self._kept and all(map(self._is_in, self._neighbours(block))):
                del self._kept[block]
