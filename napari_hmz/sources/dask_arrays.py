"""Dask arrays: computed chunk by chunk, or the zarr array behind them where there is just that.

A dask token says how an array is computed, but of a file behind it only the path. So the
fingerprint asks the files too; an array whose roots are not known is never taken for an old one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources import fingerprint
from napari_hmz.sources.arrays import ArrayPixels, array_geometry
from napari_hmz.sources.dtypes import check_readable
from napari_hmz.sources.pixels import Box, Image
from napari_hmz.sources.zarr_images import zarr_image
from napari_hmz.sources.zarr_store import identity_of

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray

_UNTOUCHED = "original-"
"""Dask's prefix for the layer that holds the array given to `from_zarr` or `from_array`."""


class DaskPixels(ArrayPixels):
    """A dask array, computed on the thread that reads: callers bring their own threads."""

    def read(self, box: Box) -> "NDArray[Any]":
        """Compute the voxels of `box`."""
        return np.asarray(self._array[box].compute(scheduler="synchronous"))


def dask_image(array: "da.Array", axes: Sequence[str] | None) -> Image:
    """Return a dask array as an image.

    Raises
    ------
    SourceUnreadable
        If the extents of its chunks are not known.
    """
    check_readable(array.dtype)
    if any(np.isnan(extent) for extent in array.shape):
        raise SourceUnreadable(
            "The dask array does not know its shape.", remedy="Call compute_chunk_sizes() on it."
        )
    behind = _zarr_behind(array)
    if behind is not None:
        return zarr_image(behind, level=0, axes=axes)
    pixels = DaskPixels(array, tuple(tuple(extents) for extents in array.chunks))
    return Image(pixels, array_geometry(array, axes), _identity(array))


def _zarr_behind(array: "da.Array") -> "zarr.Array[Any] | None":
    """Return the zarr array that a dask array shows whole and unchanged, if it does."""
    import zarr

    layer = array.__dask_graph__().layers.get(f"{_UNTOUCHED}{array.name}")
    values = [] if layer is None else [_value(task) for task in dict(layer).values()]
    if len(values) != 1 or not isinstance(values[0], zarr.Array):
        return None
    is_whole = values[0].shape == array.shape and values[0].dtype == array.dtype
    return values[0] if is_whole else None


def _identity(array: "da.Array") -> str:
    from dask.base import tokenize

    return ":".join(["dask", str(tokenize(array)), *_roots(array)])


def _roots(array: "da.Array") -> list[str]:
    """Return what tells the present content of everything that the graph starts from."""
    graph = array.__dask_graph__()
    told: set[str] = set()
    for name, layer in graph.layers.items():
        if graph.dependencies[name]:
            continue
        if not _is_plain(layer):  # its tasks make data themselves: they may read any file
            return [fingerprint.unique()]
        told |= {_root(_value(task)) for task in dict(layer).values()}
    return sorted(told)


def _root(value: object) -> str:
    import zarr

    if isinstance(value, np.ndarray):
        return ""  # its content is in the token
    if isinstance(value, zarr.Array):
        return identity_of(value)
    return fingerprint.unique()


def _is_plain(layer: object) -> bool:
    """Tell whether a layer is a table of values or tasks, and not a rule that makes them."""
    from dask.highlevelgraph import MaterializedLayer

    return isinstance(layer, MaterializedLayer)


def _value(task: Any) -> object:  # noqa: ANN401 # a task or a value of any kind
    return getattr(task, "value", task)
