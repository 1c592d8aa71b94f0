"""Numbering of the labels of one tile, whatever numbers the model has given.

Runs in block tasks, on any thread; nothing is shared.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels, alone, hollow, narrow
from hmz_backend.stitching.cropping import Placed, arrange, cut_region, result_region
from hmz_backend.stitching.flatruns import FlatRuns, decode, encode
from napari_hmz.schema import (
    AxisName,
    Interval,
    OutputArray,
    OutputSpec,
    Region,
    extents,
    intersection,
)

_LARGEST_TABLE = 1 << 24  # larger ids are made dense first, so that tables stay small


@dataclass(frozen=True, slots=True)
class LocalLabels:
    """The labels of one block, numbered 1 … count in raster order, and what joining needs."""

    core: NDArray[Any]
    """The block's own part, unsigned, with the axes of the output (iterated ones are one long)."""
    tile: TileLabels
    """What neighbours see too."""

    @property
    def count(self) -> int:
        """How many objects have a voxel in the block."""
        return self.tile.count


@dataclass(frozen=True, slots=True)
class Whole:
    """Where blocks lie in the whole.

    Parameters
    ----------
    region
        Of the plan: what the output covers.
    context
        Of the plan: what tiles have read; labels of padding beyond it are dropped.
    output
        The array that is written.
    """

    region: Region
    context: Region
    output: OutputArray

    @property
    def strides(self) -> dict[AxisName, int]:
        """How far apart, in raster order, neighbours along each axis of the output are."""
        strides: dict[AxisName, int] = {}
        step = 1
        for axis in reversed(self.output.axes):
            strides[axis] = step
            step *= self.output.shape[axis]
        return strides


def localise(
    result: NDArray[Any],
    spec: OutputSpec,
    block: Placed,
    whole: Whole,
    beside: Mapping[AxisName, Sequence[Interval]],
) -> LocalLabels:
    """Return the labels of a block, numbered: those of the core first, in its raster order.

    Parameters
    ----------
    result
        The model's labels of the tile, of any integer dtype, with the axes of `spec`; 0 is
        background.
    spec
        The model's output.
    block
        Where it was computed.
    whole
        Where it belongs.
    beside
        What the results of the next blocks along an axis cover of that axis: of this tile, what
        none of them covers is left out of the labels that are kept for joining.
    """
    tiled = tuple(axis for axis in whole.output.axes if axis in spec.axes and axis != "c")
    covered: Region = {axis: result_region(spec, block)[axis] for axis in tiled}
    seen = intersection(covered, whole.context)
    array = cut_region(arrange(result, spec.axes, tiled), tiled, covered, seen)
    core = cut_region(array, tiled, seen, block.core)
    shell = hollow(array, tiled, seen, intersection(alone(covered, beside), seen))
    return _numbered(core, shell, seen, _Place(tiled, block, whole))


def without_labels(spec: OutputSpec, block: Placed, whole: Whole) -> TileLabels:
    """Return the tile that `localise` gives for a result of zeros alone."""
    tiled = tuple(axis for axis in whole.output.axes if axis in spec.axes and axis != "c")
    covered: Region = {axis: result_region(spec, block)[axis] for axis in tiled}
    seen = intersection(covered, whole.context)
    ends = np.array([math.prod(extents(seen).values())], np.int64)
    return TileLabels(tiled, seen, FlatRuns(ends, np.zeros(1, np.uint8)), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a block lies in the whole."""

    tiled: tuple[AxisName, ...]
    block: Placed
    whole: Whole


def _numbered(core: NDArray[Any], shell: NDArray[Any], seen: Region, place: _Place) -> LocalLabels:
    inner, outer = encode(core), encode(shell)
    inner_values, outer_values = _dense(inner.values, outer.values)
    table, first_runs = _numbering(inner_values, outer_values)
    narrowed = narrow(table)
    first = _raster(inner.starts[first_runs], core.shape, place)
    kept = FlatRuns(outer.ends, narrowed[outer_values])
    tile = TileLabels(place.tiled, seen, kept, first)
    own = decode(FlatRuns(inner.ends, narrowed[inner_values]), core.shape)
    return LocalLabels(arrange(own, place.tiled, place.whole.output.axes), tile)


def _dense(inner: NDArray[Any], outer: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the same values, or smaller ones in their place where a table would be too large."""
    one, other = inner.astype(np.int64), outer.astype(np.int64)
    if max(one.max(initial=0), other.max(initial=0)) < _LARGEST_TABLE:
        return one, other
    both = np.concatenate([[0], one, other])
    dense = np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return dense[1 : len(one) + 1], dense[len(one) + 1 :]


def _numbering(
    inner: NDArray[np.int64], outer: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the new id for each old one, and the first run in the core of each core object."""
    size = int(max(inner.max(initial=0), outer.max(initial=0))) + 1
    in_core = _first_seen(inner, size)
    in_tile = _first_seen(outer, size)
    in_tile[in_core >= 0] = -1
    core_ids, halo_ids = _by_first(in_core), _by_first(in_tile)
    table = np.zeros(size, np.int64)
    table[core_ids] = np.arange(1, len(core_ids) + 1)
    table[halo_ids] = len(core_ids) + np.arange(1, len(halo_ids) + 1)
    return table, in_core[core_ids]


def _first_seen(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the place of the first run of each value; -1 for those not there, and for 0."""
    first = np.full(size, -1, np.int64)
    backwards = np.arange(len(values) - 1, -1, -1)
    first[values[backwards]] = backwards  # the last word counts: that of the first run
    first[0] = -1
    return first


def _by_first(first: NDArray[np.int64]) -> NDArray[np.int64]:
    there = np.flatnonzero(first >= 0)
    return there[np.argsort(first[there])]


def _raster(starts: NDArray[np.int64], shape: tuple[int, ...], place: _Place) -> NDArray[np.int64]:
    """Return the raster index in the whole output of voxels of the core, given by their own."""
    strides = place.whole.strides
    index = np.full(len(starts), _origin(strides, place.block, place.whole), np.int64)
    for axis, along in zip(place.tiled, np.unravel_index(starts, shape), strict=True):
        index += along * strides[axis]
    return index


def _origin(strides: Mapping[AxisName, int], block: Placed, whole: Whole) -> int:
    return sum(
        (block.core[axis][0] - whole.region[axis][0]) * stride
        for axis, stride in strides.items()
        if axis in whole.region
    )
