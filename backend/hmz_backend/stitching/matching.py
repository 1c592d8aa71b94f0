"""Which objects of two overlapping tiles are the same: by any overlap, or by agreement."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.unionfind import Ids, Pairs
from napari_hmz.schema import extents, intersection

Rule = Literal["agreement", "overlap"]

_SMALL_TABLE = 1 << 14  # up to here, counting in a table is faster than sorting, however few runs


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How much labels of two arrays have in common: a sparse table, background left out."""

    pairs: Pairs
    shared: NDArray[np.int64]
    """Voxels of each pair."""
    first_sizes: NDArray[np.int64]
    """Voxels of each label of the first array, by its id."""
    second_sizes: NDArray[np.int64]


def matches(first: TileLabels, second: TileLabels, rule: Rule, threshold: float) -> Pairs:
    """Return the ids that are one object, among those that have a core voxel in each tile.

    ```
    first  ├── core ──┼─ halo ─┤          compared: where the two tiles overlap
    second    ├─ halo ─┼── core ──┤       agreement: the best of each other, and intersection
                                          over union >= threshold; overlap: a common voxel
    ```

    Labels seen in the halo only take part in finding the best, and are then left out: what they
    are part of is decided by the tile whose core they lie in.
    """
    region = intersection(first.covered, second.covered)
    is_empty = not (first.runs.values.any() and second.runs.values.any())
    if is_empty or 0 in extents(region).values():
        return np.empty((0, 2), np.int64)
    found = overlaps(first.within(region), second.within(region))
    pairs = found.pairs if rule == "overlap" else agreeing(found, threshold)
    return pairs[(pairs[:, 0] <= first.count) & (pairs[:, 1] <= second.count)]


def overlaps(first: NDArray[Any], second: NDArray[Any]) -> Overlaps:
    """Count the voxels that labels of two arrays of equal shape have in common."""
    left, right, lengths = _joint_runs(first.reshape(-1), second.reshape(-1))
    height, width = int(left.max()) + 1, int(right.max()) + 1
    if height * width <= max(_SMALL_TABLE, 2 * len(left)):
        counts = np.bincount(left * width + right, lengths, height * width)
        table = counts.astype(np.int64).reshape(height, width)
        first_sizes, second_sizes = table.sum(axis=1), table.sum(axis=0)
        pairs = np.argwhere(table[1:, 1:]) + 1
        return Overlaps(pairs, table[pairs[:, 0], pairs[:, 1]], first_sizes, second_sizes)
    return _sparse_overlaps(left, right, lengths)


def _sparse_overlaps(left: Ids, right: Ids, lengths: Ids) -> Overlaps:
    first_sizes = np.bincount(left, lengths).astype(np.int64)
    second_sizes = np.bincount(right, lengths).astype(np.int64)
    both = (left > 0) & (right > 0)
    width = len(second_sizes)
    keys, inverse = np.unique(left[both] * width + right[both], return_inverse=True)
    shared = np.bincount(inverse.reshape(-1), lengths[both]).astype(np.int64)
    return Overlaps(np.stack(np.divmod(keys, width), axis=1), shared, first_sizes, second_sizes)


def _joint_runs(first: NDArray[Any], second: NDArray[Any]) -> tuple[Ids, Ids, Ids]:
    """Return the values and lengths of the runs in which neither array changes."""
    changes = first[1:] != first[:-1]
    changes |= second[1:] != second[:-1]
    ends = np.append(np.flatnonzero(changes), len(first) - 1)
    lengths = np.diff(ends, prepend=-1)
    return first[ends].astype(np.int64), second[ends].astype(np.int64), lengths


def agreeing(found: Overlaps, threshold: float) -> Pairs:
    """Return the pairs that are best for each other and agree enough; ties go to lower ids."""
    left, right = found.pairs[:, 0], found.pairs[:, 1]
    union = found.first_sizes[left] + found.second_sizes[right] - found.shared
    score = found.shared / union
    best = _is_best(left, right, score) & _is_best(right, left, score)
    return found.pairs[best & (score >= threshold)]


def _is_best(own: Ids, other: Ids, score: NDArray[np.float64]) -> NDArray[np.bool_]:
    order = np.lexsort((other, -score, own))
    ranked = own[order]
    leads = np.ones(len(own), bool)
    leads[1:] = ranked[1:] != ranked[:-1]
    best = np.zeros(len(own), bool)
    best[order[leads]] = True
    return best
