"""All objects of all blocks: which are one, and the ids that they get in the end.

```
entered      0 1 2 │ 3 4 │ 5 6 7 …     in the order in which blocks came: `base` + local id - 1
parents      0 1 2 │ 1 4 │ 4 6 7 …     union-find
firsts       where the first voxel of each lies, as a raster index in the whole output
final ids    1 … N, by the smallest raster index of each set
```

Memory: the two columns, 16 bytes per object and block it lies in; while ids are made, 8 more per
final object. Columns may be files that are mapped: then memory is `STEP` objects, and the rest is
the system's to keep or to drop. One thread at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.unionfind import Ids, Pairs, UnionFind, flatten

STEP = 1 << 20
"""How many objects are looked at together."""
UINT32_IDS = 2**32 - 1


class Column(Protocol):
    """A growing row of int64 numbers."""

    def extend(self, numbers: Ids) -> None:
        """Put numbers behind those that are there."""

    @property
    def array(self) -> Ids:
        """All numbers, to be read and changed in place; until the next `extend`."""


NewColumn = Callable[[str], Column]
"""Returns an empty column of a name."""


@dataclass
class ArrayColumn:
    """A column in memory."""

    _held: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    _count: int = 0

    def extend(self, numbers: Ids) -> None:
        """Put numbers behind those that are there."""
        end = self._count + len(numbers)
        if end > len(self._held):
            larger = np.empty(max(end, 2 * len(self._held)), np.int64)
            larger[: self._count] = self._held[: self._count]
            self._held = larger
        self._held[self._count : end] = numbers
        self._count = end

    @property
    def array(self) -> Ids:
        """All numbers."""
        return self._held[: self._count]


def array_column(name: str) -> Column:  # noqa: ARG001 # memory needs no names
    """Return an empty column in memory."""
    return ArrayColumn()


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
        return np.dtype(np.uint32 if self.count <= UINT32_IDS else np.uint64)

    def table(self, block: int) -> NDArray[Any]:
        """Return the final id for each local id of a block; index 0 is background.

        `table(block)[core_labels]` is the block's final chunk.
        """
        table = np.zeros(int(self.counts[block]) + 1, self.dtype)
        base = int(self.bases[block])
        table[1:] = self.ids[base : base + int(self.counts[block])]
        return table


class Objects:
    """The objects of all blocks of one output.

    Parameters
    ----------
    blocks
        How many blocks there are.
    column
        Makes the columns.
    step
        How many objects are looked at together.
    """

    def __init__(self, blocks: int, column: NewColumn = array_column, *, step: int = STEP) -> None:
        self._bases = np.full(blocks, -1, np.int64)
        self._counts = np.zeros(blocks, np.int64)
        self._column, self._step = column, step
        self._parents, self._firsts = column("parents"), column("firsts")
        self._total = 0

    def enter(self, block: int, first: Ids) -> None:
        """Take the objects of a block, once.

        Raises
        ------
        ValueError
            If they are in already.
        """
        if self.is_in(block):
            raise ValueError(f"block {block} is in already")
        self._bases[block], self._counts[block] = self._total, len(first)
        self._parents.extend(np.arange(self._total, self._total + len(first)))
        self._firsts.extend(first)
        self._total += len(first)

    def is_in(self, block: int) -> bool:
        """Return whether a block's objects have been taken."""
        return bool(self._bases[block] >= 0)

    def base(self, block: int) -> int:
        """Return what is added to a block's local ids to make them provisional ids."""
        return int(self._bases[block])

    def join(self, pairs: Pairs) -> Pairs:
        """Join objects, given by provisional ids (1 and up).

        Returns
        -------
        Each provisional id that does not stand for its object any more, and the one that does.
        """
        if not len(pairs):
            return pairs
        return UnionFind(self._parents.array).union(pairs[:, 0] - 1, pairs[:, 1] - 1) + 1

    def finish(self) -> FinalIds:
        """Return the final ids, once: the columns are used up.

        Raises
        ------
        ValueError
            If a block is missing.
        """
        missing = np.flatnonzero(self._bases < 0)
        if len(missing):
            raise ValueError(f"{len(missing)} blocks are missing, the first is {missing[0]}")
        parents, firsts = self._parents.array, self._firsts.array
        flatten(parents, self._step)
        count = self._rank(parents, firsts)
        for part in self._parts():
            parents[part] = firsts[parents[part]]
        return FinalIds(count, self._bases, self._counts, parents)

    def _rank(self, parents: Ids, firsts: Ids) -> int:
        """Put the rank of each set, by its first voxel, into `firsts` at its smallest member."""
        ranked = self._column("ranked")
        for part in self._parts():
            np.minimum.at(firsts, parents[part], np.array(firsts[part]))
        for part in self._parts():
            ranked.extend(firsts[part][self._roots(parents, part)])
        order = ranked.array
        order.sort()
        for part in self._parts():
            roots = self._roots(parents, part)
            firsts[part][roots] = np.searchsorted(order, firsts[part][roots]) + 1
        return len(order)

    def _roots(self, parents: Ids, part: slice) -> NDArray[np.bool_]:
        is_root: NDArray[np.bool_] = parents[part] == np.arange(part.start, part.stop)
        return is_root

    def _parts(self) -> list[slice]:
        ends = range(0, self._total, self._step)
        return [slice(start, min(start + self._step, self._total)) for start in ends]
