"""Numbering of the labels of one tile, whatever numbers the model has given.

Runs in block tasks, on any thread; nothing is shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.cropping import Placed, arrange, cut_region, result_region
from hmz_backend.stitching.rowruns import RowRuns, cut, decode, encode
from napari_hmz.schema import AxisName, OutputArray, OutputSpec, Region, intersection

_LARGEST_TABLE = 1 << 24  # larger ids are made dense first, so that tables stay small


@dataclass(frozen=True, slots=True)
class LocalLabels:
    """The labels of one block, numbered 1 … count in raster order, and what joining needs."""

    core: NDArray[np.generic]
    """The block's own part, uint32, with the axes of the output (iterated ones are one long)."""
    tile: TileLabels

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


def localise(result: NDArray[Any], spec: OutputSpec, block: Placed, whole: Whole) -> LocalLabels:
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
    """
    tiled = tuple(axis for axis in whole.output.axes if axis in spec.axes and axis != "c")
    covered = result_region(spec, block)
    seen = intersection(covered, whole.context)
    array = cut_region(arrange(result, spec.axes, tiled), tiled, covered, seen)
    runs = encode(array)
    core = {axis: block.core[axis] for axis in tiled}
    box = [slice(*(end - seen[axis][0] for end in core[axis])) for axis in tiled]
    values = _dense(runs.values)
    inner = cut(RowRuns(runs.shape, runs.offsets, runs.stops, values), box)
    table, first_runs = _numbering(values, inner.values)
    local = RowRuns(runs.shape, runs.offsets, runs.stops, table[values])
    kept = RowRuns(inner.shape, inner.offsets, inner.stops, table[inner.values])
    first = _raster(kept, first_runs, tiled, block, whole)
    tile = TileLabels(tiled, {axis: seen[axis] for axis in tiled}, local, len(first), first)
    return LocalLabels(arrange(decode(kept), tiled, whole.output.axes), tile)


def _dense(values: NDArray[np.int64]) -> NDArray[np.int64]:
    if values.max(initial=0) < _LARGEST_TABLE:
        return values
    found, dense = np.unique(values, return_inverse=True)
    shift = 0 if found[0] == 0 else 1
    return dense.reshape(-1).astype(np.int64) + shift


def _numbering(
    values: NDArray[np.int64], inner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the new id for each old one, and the first run in the core of each core object."""
    size = int(values.max(initial=0)) + 1
    in_core = _first_seen(inner, size)
    in_tile = _first_seen(values, size)
    in_tile[in_core >= 0] = -1
    core_ids, halo_ids = _by_first(in_core), _by_first(in_tile)
    table = np.zeros(size, np.int64)
    table[core_ids] = np.arange(1, len(core_ids) + 1)
    table[halo_ids] = len(core_ids) + np.arange(1, len(halo_ids) + 1)
    return table, in_core[core_ids]


def _first_seen(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the place of the first run of each value; -1 for those not there, and for 0."""
    first = np.full(size, len(values), np.int64)
    np.minimum.at(first, values, np.arange(len(values)))
    first[0] = len(values)
    return np.where(first == len(values), -1, first)


def _by_first(first: NDArray[np.int64]) -> NDArray[np.int64]:
    there = np.flatnonzero(first >= 0)
    return there[np.argsort(first[there])]


def _raster(
    inner: RowRuns,
    numbers: NDArray[np.int64],
    tiled: tuple[AxisName, ...],
    block: Placed,
    whole: Whole,
) -> NDArray[np.int64]:
    """Return the raster index in the whole output of where each of these runs starts."""
    strides = whole.strides
    rows, starts = inner.rows[numbers], inner.starts[numbers]
    places = [*np.unravel_index(rows, inner.shape[:-1]), starts] if len(tiled) > 1 else [starts]
    index = np.full(len(numbers), _origin(strides, block, whole), np.int64)
    for axis, place in zip(tiled, places, strict=True):
        index += place * strides[axis]
    return index


def _origin(strides: Mapping[AxisName, int], block: Placed, whole: Whole) -> int:
    return sum(
        (block.core[axis][0] - whole.region[axis][0]) * stride
        for axis, stride in strides.items()
        if axis in whole.region
    )
