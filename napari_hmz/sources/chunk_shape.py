"""The chunks that a source is cut into when its own cannot travel: near cubes of a few MiB."""

import math
from collections.abc import Mapping, Sequence

from napari_hmz.schema import AxisName
from napari_hmz.sources.pixels import Pieces

LARGEST_BYTES = 4 * 2**20
"""A chunk is decoded to at most this."""

_VOLUME: dict[AxisName, int] = {"z": 64, "y": 128, "x": 128}
_STACK: dict[AxisName, int] = {"z": 16, "y": 256, "x": 256}
"""For data stored plane by plane: a flat chunk touches fewer planes."""
_PLANE: dict[AxisName, int] = {"y": 1024, "x": 1024}


def suitable_chunks(
    axes: Sequence[AxisName],
    shape: Sequence[int],
    itemsize: int,
    pieces: Pieces | None = None,
    cache_bytes: int = 0,
) -> tuple[int, ...]:
    """Return chunk extents in the order of `axes`.

    Parameters
    ----------
    pieces
        How the data are stored: chunks become whole numbers of small pieces, and so flat that
        the pieces behind one slab of chunks fill at most half of `cache_bytes`.
    """
    stored = None if pieces is None else [max(extents, default=1) for extents in pieces]
    target = _target(axes, shape, stored)
    chunks = [
        _fitted(extent, target.get(axis, 1), 1 if stored is None else stored[position])
        for position, (axis, extent) in enumerate(zip(axes, shape, strict=True))
    ]
    while math.prod(chunks) * itemsize > LARGEST_BYTES:
        largest = max(range(len(chunks)), key=chunks.__getitem__)
        chunks[largest] = math.ceil(chunks[largest] / 2)
    if stored is not None and "z" in axes:
        at = axes.index("z")
        chunks[at] = min(chunks[at], _flat_enough(axes, shape, itemsize, stored, cache_bytes))
    return tuple(chunks)


def _target(
    axes: Sequence[AxisName], shape: Sequence[int], stored: Sequence[int] | None
) -> Mapping[AxisName, int]:
    if "z" not in axes or shape[axes.index("z")] == 1:
        return _PLANE | {"z": 1}
    is_stack = stored is not None and stored[axes.index("z")] == 1
    return _STACK if is_stack else _VOLUME


def _fitted(extent: int, target: int, stored: int) -> int:
    """Return a chunk extent near `target`: whole pieces where they are small, balanced else."""
    if extent <= target:
        return extent
    if 1 < stored <= target:
        return stored * round(target / stored)
    return math.ceil(extent / math.ceil(extent / target))


def _flat_enough(
    axes: Sequence[AxisName],
    shape: Sequence[int],
    itemsize: int,
    stored: Sequence[int],
    cache_bytes: int,
) -> int:
    at = axes.index("z")
    row = math.prod(
        extent
        for position, (axis, extent) in enumerate(zip(axes, shape, strict=True))
        if axis in ("y", "x")
    )
    plane_bytes = row * itemsize
    planes = cache_bytes // 2 // max(1, plane_bytes)
    return max(stored[at], planes)
