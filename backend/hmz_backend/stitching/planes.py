"""Joining of planes: what a 2-D model finds in neighbouring planes becomes one 3-D object.

```
z=0   ▒▒▒▒    ░░░       an object of one plane and an object of the next are one if they are
z=1    ▒▒▒▒   ░░░░      the best of each other and overlap enough (intersection over union)
z=2     ▒▒▒
```

Memory: the two blocks at hand, and the overlap counts of two planes, which are collected block
by block, so that a plane may be cut into any number of blocks. One thread at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.matching import Overlaps, agreeing, overlaps
from hmz_backend.stitching.objects import STEP, FinalIds, NewColumn, array_column
from hmz_backend.stitching.unionfind import Pairs, UnionFind, flatten, rank

PLANE_THRESHOLD = 0.25
"""Least intersection over union: planes are some way apart, and objects taper off."""

PlanePair = Sequence[tuple[int, int]]
"""The blocks of two neighbouring planes that lie over each other."""


def join_planes(
    ids: FinalIds,
    pairs_of_planes: Iterable[PlanePair],
    read: Callable[[int], NDArray[Any]],
    threshold: float = PLANE_THRESHOLD,
    *,
    column: NewColumn = array_column,
) -> FinalIds:
    """Join the objects of neighbouring planes, once those within planes have their ids.

    Parameters
    ----------
    ids
        From `Joiner.finish`; they are changed in place.
    pairs_of_planes
        For each two planes that follow each other, the blocks over each other.
    read
        Returns the core labels of a block, in its local ids, as `localise` gave them.
    threshold
        The least intersection over union of two planes' objects.
    column
        Makes the column in which objects are joined: 8 bytes each.

    Returns
    -------
    The ids of the joined objects: again 1 … N in raster order of their first voxels.
    """
    joined = column("planes")
    for start in range(0, ids.count, STEP):
        joined.extend(np.arange(start, min(start + STEP, ids.count)))
    parents = joined.array
    sets = UnionFind(parents)
    for blocks in pairs_of_planes:
        found = _plane_matches(ids, blocks, read, threshold) - 1
        sets.union(found[:, 0], found[:, 1])
    flatten(parents, STEP)
    count = rank(parents, STEP)
    for start in range(0, len(ids.ids), STEP):
        part = ids.ids[start : start + STEP]
        part[:] = parents[part - 1]
    return FinalIds(count, ids.bases, ids.counts, ids.ids)


@dataclass(slots=True)
class _Tally:
    """Counts of one pair of planes, in final ids, collected block by block."""

    pairs: list[Pairs] = field(default_factory=list)
    shared: list[NDArray[np.int64]] = field(default_factory=list)
    lower: list[Pairs] = field(default_factory=list)
    upper: list[Pairs] = field(default_factory=list)


def _plane_matches(
    ids: FinalIds, blocks: PlanePair, read: Callable[[int], NDArray[Any]], threshold: float
) -> Pairs:
    tally = _Tally()
    for lower, upper in blocks:
        found = overlaps(read(lower), read(upper))
        below, above = ids.table(lower).astype(np.int64), ids.table(upper).astype(np.int64)
        tally.pairs.append(np.stack([below[found.pairs[:, 0]], above[found.pairs[:, 1]]], axis=1))
        tally.shared.append(found.shared)
        tally.lower.append(_sizes(found.first_sizes, below))
        tally.upper.append(_sizes(found.second_sizes, above))
    return _best(tally, threshold)


def _sizes(sizes: NDArray[np.int64], table: NDArray[np.int64]) -> Pairs:
    """Return final ids and their voxels, background left out."""
    there = np.flatnonzero(sizes[1:]) + 1
    return np.stack([table[there], sizes[there]], axis=1)


def _best(tally: _Tally, threshold: float) -> Pairs:
    """Sum up what the blocks have counted, and return the pairs that agree."""
    if not tally.pairs:
        return np.empty((0, 2), np.int64)
    lower, lower_sizes = _summed(np.concatenate(tally.lower))
    upper, upper_sizes = _summed(np.concatenate(tally.upper))
    pairs = np.concatenate(tally.pairs)
    width = len(upper) + 1
    # Numbers within the two planes: tables stay as small as the planes.
    keys = np.searchsorted(lower, pairs[:, 0]) * width + np.searchsorted(upper, pairs[:, 1])
    found, shared = _summed(np.stack([keys, np.concatenate(tally.shared)], axis=1))
    counted = Overlaps(
        np.stack([found // width, found % width], axis=1), shared, lower_sizes, upper_sizes
    )
    best = agreeing(counted, threshold)
    return np.stack([lower[best[:, 0]], upper[best[:, 1]]], axis=1)


def _summed(counts: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct numbers of the first column, and the sums of the second."""
    found, inverse = np.unique(counts[:, 0], return_inverse=True)
    return found, np.bincount(
        inverse.reshape(-1), weights=counts[:, 1], minlength=len(found)
    ).astype(np.int64)
