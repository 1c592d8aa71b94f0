"""Chunk keys of an announced array: from a key to the chunk's index, and to its box."""

import math
from collections.abc import Sequence

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import ArrayDocument, VolumeRequest

_V2 = 2


def _style(array: ArrayDocument) -> tuple[str, str]:
    """Return what stands before the first number of a key, and between the numbers."""
    document = array.document
    if array.zarr_format == _V2:
        return "", document.get("dimension_separator") or "."
    encoding = document["chunk_key_encoding"]
    is_default = encoding["name"] == "default"
    separator = (encoding.get("configuration") or {}).get("separator", "/" if is_default else ".")
    return (f"c{separator}" if is_default else ""), separator


def key_of(request: VolumeRequest, index: Sequence[int]) -> str:
    """Return the key of the chunk at `index`, counted in chunks along each axis."""
    prefix, separator = _style(request.array)
    return prefix + separator.join(str(number) for number in index)


def index_of(request: VolumeRequest, key: str) -> tuple[int, ...]:
    """Return the index of the chunk with this key.

    Raises
    ------
    SourceUnreadable
        If the array has no such chunk.
    """
    prefix, separator = _style(request.array)
    numbers = key.removeprefix(prefix).split(separator)
    if all(number.isascii() and number.isdigit() for number in numbers):
        index = tuple(int(number) for number in numbers)
        grid = grid_of(request)
        is_inside = len(index) == len(grid) and all(map(int.__lt__, index, grid))
        if is_inside and key == key_of(request, index):
            return index
    raise SourceUnreadable(f"The image has no chunk {key!r}.")


def grid_of(request: VolumeRequest) -> tuple[int, ...]:
    """Return how many chunks there are along each axis, in the announced order."""
    return tuple(math.ceil(request.shape[axis] / request.chunks[axis]) for axis in request.axes)


def box_of(request: VolumeRequest, index: Sequence[int]) -> tuple[slice, ...]:
    """Return the voxels of a chunk that lie inside the array."""
    return tuple(
        slice(at * extent, min((at + 1) * extent, request.shape[axis]))
        for at, axis in zip(index, request.axes, strict=True)
        for extent in (request.chunks[axis],)
    )
