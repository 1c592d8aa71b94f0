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
    slab_bytes: int = 0,
) -> tuple[int, ...]:
    """Return chunk extents in the order of `axes`.

    Parameters
    ----------
    pieces
        How the data are stored: chunks become whole numbers of small pieces, and so flat that
        the pieces behind one slab fill at most `slab_bytes`.
    """
    stored = None if pieces is None else stored_extents(pieces)
    target = _target(axes, shape, stored)
    chunks = [
        _fitted(extent, target.get(axis, 1), 1 if stored is None else stored[position])
        for position, (axis, extent) in enumerate(zip(axes, shape, strict=True))
    ]
    while math.prod(chunks) * itemsize > LARGEST_BYTES:
        largest = max(range(len(chunks)), key=chunks.__getitem__)
        chunks[largest] = _halved(chunks[largest], 1 if stored is None else stored[largest])
    if stored is not None:
        _flatten(chunks, shape, stored, slab_bytes // itemsize)
    return tuple(chunks)


def stored_extents(pieces: Pieces) -> tuple[int, ...]:
    """Return the extents of the largest piece."""
    return tuple(max(extents, default=1) for extents in pieces)


def slab(
    shape: Sequence[int], chunks: Sequence[int], stored: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the extents of boxes whose chunks need the same pieces; none if no two chunks do.

    Where pieces are whole numbers of chunks or the other way round, each piece lies in one box;
    else those at the border of two boxes belong to both.
    """
    extents = tuple(map(_shared, shape, chunks, stored))
    return None if all(map(_covers, extents, shape, chunks)) else extents


def _shared(size: int, chunk: int, stored: int) -> int:
    if stored >= size or chunk >= size:
        return size
    return chunk * math.ceil(stored / chunk)


def _covers(extent: int, size: int, chunk: int) -> bool:
    return min(chunk, size) >= extent


def _flatten(
    chunks: list[int], shape: Sequence[int], stored: Sequence[int], slab_voxels: int
) -> None:
    """Let chunks span fewer pieces, until all pieces behind one slab fit."""
    while math.prod(map(_shared, shape, chunks, stored)) > slab_voxels:
        spans = [math.ceil(chunk / extent) for chunk, extent in zip(chunks, stored, strict=True)]
        most = max(range(len(chunks)), key=spans.__getitem__)
        if spans[most] == 1:
            return
        chunks[most] = _halved(chunks[most], stored[most])


def _target(
    axes: Sequence[AxisName], shape: Sequence[int], stored: Sequence[int] | None
) -> Mapping[AxisName, int]:
    if "z" not in axes or shape[axes.index("z")] == 1:
        return _PLANE | {"z": 1}
    is_stack = stored is not None and stored[axes.index("z")] == 1
    return _STACK if is_stack else _VOLUME


def _fitted(extent: int, target: int, stored: int) -> int:
    """Return a chunk extent near `target`: whole pieces, an even part of one, or balanced."""
    if extent <= target:
        return extent
    if 1 < stored <= target:
        near = stored * round(target / stored)
        return near if near <= extent else near - stored
    if target < stored < extent:
        parts = (part for part in range(target, target // 2, -1) if stored % part == 0)
        return next(parts, target)
    return math.ceil(extent / math.ceil(extent / target))


def _halved(chunk: int, stored: int) -> int:
    """Return about half of a chunk extent, in whole pieces if it has several."""
    if chunk <= stored:
        return math.ceil(chunk / 2)
    return stored * math.ceil(math.ceil(chunk / stored) / 2)
