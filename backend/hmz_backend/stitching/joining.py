"""Joining: the labels of all blocks become objects with final ids, whatever the order of blocks.

```
block task      localise ─► core labels (a chunk), TileLabels (a small file)
                                 │
Joiner.add      matched with the neighbours that are in; a tile is dropped once all of its
                neighbours are in: at any time only the front of the work is kept
                                 │
Objects.join    union-find
Objects.finish  final ids 1 … N in raster order of each object's first voxel
                                 │
second pass     FinalIds.table(block)[core labels] ─► final chunk
```

A `Joiner` belongs to one thread at a time. Memory: the tiles of the front (in `kept`, which may
be a folder), and what `objects` states.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.matching import Rule, matches
from hmz_backend.stitching.objects import Objects
from hmz_backend.stitching.unionfind import Ids, Pairs


class Shelf(Protocol):
    """Holds tiles until their neighbours are in."""

    def put(self, block: int, tile: TileLabels) -> None:
        """Take a tile."""

    def take(self, block: int) -> TileLabels:
        """Return a tile that was put here, and keep it."""

    def drop(self, block: int) -> None:
        """Forget a tile, if it was put here: nobody will ask for it again."""


@dataclass(frozen=True, slots=True)
class MemoryShelf:
    """A shelf in memory."""

    tiles: dict[int, TileLabels] = field(default_factory=dict)

    def put(self, block: int, tile: TileLabels) -> None:
        """Take a tile."""
        self.tiles[block] = tile

    def take(self, block: int) -> TileLabels:
        """Return a tile."""
        return self.tiles[block]

    def drop(self, block: int) -> None:
        """Forget a tile."""
        self.tiles.pop(block, None)


class Joiner:
    """Compares the labels of all blocks of one output.

    Parameters
    ----------
    objects
        Where the objects of all blocks are entered; empty.
    neighbours
        The blocks that each one must be compared with; symmetric.
    rule, threshold
        As in the model's `stitch`.
    kept
        Holds tiles until their neighbours are in; in memory if not given.
    """

    def __init__(
        self,
        objects: Objects,
        neighbours: Callable[[int], Sequence[int]],
        *,
        rule: Rule,
        threshold: float,
        kept: Shelf | None = None,
    ) -> None:
        self._objects = objects
        self._neighbours = neighbours
        self._rule: Rule = rule
        self._threshold = threshold
        self._kept: Shelf = MemoryShelf() if kept is None else kept
        self._lacking = dict[int, int]()

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
        around = self._neighbours(block)
        inside = [other for other in around if self._objects.is_in(other)]
        self._objects.enter(block, tile.first)
        self._kept.put(block, tile)
        found = [self._compare(block, tile, other) for other in inside]
        self._count_off(block, len(around), inside)
        return np.concatenate([np.empty((0, 2), np.int64), *found])

    def restore(self, block: int, first: Ids) -> None:
        """Take a block that was compared with those before it in an earlier life."""
        around = self._neighbours(block)
        inside = [other for other in around if self._objects.is_in(other)]
        self._objects.enter(block, first)
        self._count_off(block, len(around), inside)

    def release(self, block: int) -> None:
        """Drop a tile that has come once more, if nobody will ask for it."""
        if block not in self._lacking:
            self._kept.drop(block)

    @property
    def front(self) -> int:
        """How many blocks are in whose neighbours are not all in."""
        return len(self._lacking)

    def _compare(self, block: int, tile: TileLabels, other: int) -> Pairs:
        # The lower block comes first, so that the result is the same in any order.
        low, high = sorted((block, other))
        known = {block: tile, other: self._kept.take(other)}
        pairs = matches(known[low], known[high], self._rule, self._threshold)
        return pairs + np.array([self._objects.base(low), self._objects.base(high)], np.int64)

    def _count_off(self, block: int, neighbours: int, inside: Sequence[int]) -> None:
        """Note who is in, and drop tiles that nobody will ask for again."""
        self._lacking[block] = neighbours - len(inside)
        for other in inside:
            self._lacking[other] -= 1
        for number in (block, *inside):
            if not self._lacking[number]:
                del self._lacking[number]
                self._kept.drop(number)
