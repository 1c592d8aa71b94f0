"""Arrays in memory or behind a lazy interface: numpy, dask, and whatever indexes like them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources import fingerprint
from napari_hmz.sources.dtypes import check_readable
from napari_hmz.sources.geometry import Geometry, axes_for, axes_named
from napari_hmz.sources.pixels import Box, Image, Pieces, reading

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray


class ArrayPixels:
    """Anything with `shape`, `dtype` and indexing by slices; its owner closes it.

    Parameters
    ----------
    pieces
        How it is stored, if that matters.
    """

    def __init__(self, array: Any, pieces: Pieces | None = None) -> None:  # noqa: ANN401 # any array
        self._array = array
        self._pieces = pieces

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return tuple(int(extent) for extent in self._array.shape)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        dtype: np.dtype[Any] = np.dtype(self._array.dtype)
        return dtype

    @property
    def pieces(self) -> Pieces | None:
        """How it is stored, if that matters."""
        return self._pieces

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        return np.asarray(self._array[box])

    def close(self) -> None:
        """Leave the array to its owner."""


class DaskPixels(ArrayPixels):
    """A dask array, computed on the thread that reads: callers bring their own threads."""

    def read(self, box: Box) -> "NDArray[Any]":
        """Compute the voxels of `box`."""
        return np.asarray(self._array[box].compute(scheduler="synchronous"))


def numpy_image(array: "NDArray[Any]", axes: Sequence[str] | None) -> Image:
    """Return a numpy array as an image; it must not change while it is open."""
    check_readable(array.dtype)
    return Image(ArrayPixels(array), _geometry(array, axes), fingerprint.of_array(array))


def dask_image(array: "da.Array", axes: Sequence[str] | None) -> Image:
    """Return a dask array as an image, told by its token.

    Raises
    ------
    SourceUnreadable
        If the extents of its chunks are not known.
    """
    from dask.base import tokenize

    check_readable(array.dtype)
    if any(np.isnan(extent) for extent in array.shape):
        raise SourceUnreadable(
            "The dask array does not know its shape.", remedy="Call compute_chunk_sizes() on it."
        )
    pixels = DaskPixels(array, tuple(tuple(extents) for extents in array.chunks))
    return Image(pixels, _geometry(array, axes), f"dask:{tokenize(array)}")


def any_image(array: Any, axes: Sequence[str] | None) -> Image:  # noqa: ANN401 # any array
    """Return an array-like as an image; nothing tells it from others, so it is never known again.

    Raises
    ------
    SourceUnreadable
        If it lacks `shape`, `dtype` or indexing.
    """
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        raise SourceUnreadable(f"A {type(array).__name__} cannot be read as an image.")
    with reading("The array cannot be read"):
        check_readable(np.dtype(array.dtype))
    return Image(ArrayPixels(array), _geometry(array, axes), fingerprint.unique())


def _geometry(array: Any, axes: Sequence[str] | None) -> Geometry:  # noqa: ANN401 # any array
    named = axes_named([str(name) for name in getattr(array, "dims", ())])  # as in xarray
    is_bytes = np.dtype(array.dtype).itemsize == 1
    return Geometry(axes_for(tuple(array.shape), given=axes, named=named, is_bytes=is_bytes))
