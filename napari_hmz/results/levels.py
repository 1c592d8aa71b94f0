"""The resolutions of an output: how many, how coarse, and how one is made from the finer one."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.schema import SPATIAL_AXES, AxisName, Region, Sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL_PLANE_PX = 256
_SMALL_VOLUME_PX = 128
_MOST_LEVELS = 10
_FINER = 1.5
"""An axis is halved unless its voxels are longer than the shortest by more than this factor."""
_CHUNK_PX: Sizes = {"t": 1, "c": 1, "z": 64, "y": 256, "x": 256}
"""Of coarser levels: bounds what one step of the pyramid keeps in memory."""


def level_factors(
    shape: Mapping[AxisName, int], voxel_size: Mapping[AxisName, float]
) -> list[Sizes]:
    """Return, for each level, by how much each axis is coarser than in the finest level.

    Axes are halved until the image is small, long voxels later than short ones, so that coarse
    levels of anisotropic volumes come near cubes.
    """
    factors: list[Sizes] = [dict.fromkeys(shape, 1)]
    is_volume = shape.get("z", 1) > 1
    small = _SMALL_VOLUME_PX if is_volume else _SMALL_PLANE_PX
    spatial = [axis for axis in SPATIAL_AXES if shape.get(axis, 1) > 1]
    while len(factors) < _MOST_LEVELS:
        last = factors[-1]
        now = level_shape(shape, last)
        if max((now[axis] for axis in spatial), default=1) <= small:
            break
        length = {axis: voxel_size.get(axis, 1.0) * last[axis] for axis in spatial if now[axis] > 1}
        limit = min(length.values()) * _FINER
        factors.append(
            {axis: last[axis] * (2 if length.get(axis, math.inf) <= limit else 1) for axis in shape}
        )
    return factors


def level_shape(shape: Mapping[AxisName, int], factors: Mapping[AxisName, int]) -> Sizes:
    """Return the extents of a level; what remains at an edge makes one more voxel."""
    return {axis: math.ceil(extent / factors[axis]) for axis, extent in shape.items()}


def level_chunks(shape: Mapping[AxisName, int], chunks: Mapping[AxisName, int]) -> Sizes:
    """Return the chunk extents of a coarser level: whole chunks of the finer one, or halves.

    So that no chunk of the finer level is read twice.
    """
    return {axis: _level_chunk(extent, chunks[axis], axis) for axis, extent in shape.items()}


def _level_chunk(extent: int, chunk: int, axis: AxisName) -> int:
    while chunk > _CHUNK_PX[axis] and chunk % 2 == 0:
        chunk //= 2
    return max(1, min(extent, chunk, _CHUNK_PX[axis]))


def step_between(fine: int, coarse: int) -> int | None:
    """Return by how much an axis was made coarser; None if no whole number leads there.

    What remains at an edge may make one more voxel, or none.
    """
    for step in (fine // coarse, -(-fine // coarse)):
        if coarse in (fine // step, -(-fine // step)):
            return step
    return None


def regions_of(shape: Mapping[AxisName, int], chunks: Mapping[AxisName, int]) -> Iterator[Region]:
    """Yield the chunks of an array as regions, in raster order."""
    intervals = [
        [(start, min(start + chunks[axis], extent)) for start in range(0, extent, chunks[axis])]
        for axis, extent in shape.items()
    ]
    for chosen in itertools.product(*intervals):
        yield dict(zip(shape, chosen, strict=True))


def nearest(values: "NDArray[Any]", steps: Sequence[int]) -> "NDArray[Any]":
    """Return every `step`-th voxel along each axis."""
    return values[tuple(slice(None, None, step) for step in steps)]


def mean(values: "NDArray[Any]", steps: Sequence[int]) -> "NDArray[Any]":
    """Return the means over blocks of `steps` voxels, in the dtype of `values`.

    Blocks cut by an edge are means of what is there, weighted as if the edge went on.
    """
    missing = [(0, -extent % step) for extent, step in zip(values.shape, steps, strict=True)]
    total = np.pad(values, missing, mode="edge") if any(end for _, end in missing) else values
    exact = np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else np.float64  # noqa: PLR2004 # 32 bits hold sums of 16
    for axis, step in enumerate(steps):
        if step > 1:  # outermost first: whole rows are added, and each step leaves less to add
            total = _summed(total, axis, step, exact)
    means = total / exact(math.prod(steps))
    coarse: NDArray[Any] = (means if values.dtype.kind == "f" else np.rint(means)).astype(
        values.dtype, copy=False
    )
    return coarse


def _summed(
    values: "NDArray[Any]", axis: int, step: int, dtype: "type[np.floating[Any]]"
) -> "NDArray[Any]":
    parts = [values[(*(slice(None),) * axis, slice(number, None, step))] for number in range(step)]
    total: NDArray[Any] = np.add(parts[0], parts[1], dtype=dtype)
    for part in parts[2:]:
        total += part
    return total
