"""Arrays in memory, and whatever indexes like them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources import fingerprint
from napari_hmz.sources.dtypes import check_readable
from napari_hmz.sources.geometry import Geometry, axes_for, axes_named
from napari_hmz.sources.pixels import Box, Image, Pieces, reading

if TYPE_CHECKING:
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


def numpy_image(array: "NDArray[Any]", axes: Sequence[str] | None) -> Image:
    """Return a numpy array as an image; it must not change while it is open."""
    check_readable(array.dtype)
    return Image(ArrayPixels(array), array_geometry(array, axes), fingerprint.of_array(array))


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
    return Image(ArrayPixels(array), array_geometry(array, axes), fingerprint.unique())


def array_geometry(array: Any, axes: Sequence[str] | None) -> Geometry:  # noqa: ANN401 # any array
    """Return the axes of an array: given, named by it as in xarray, or guessed."""
    named = axes_named([str(name) for name in getattr(array, "dims", ())])  # as in xarray
    is_bytes = np.dtype(array.dtype).itemsize == 1
    return Geometry(axes_for(tuple(array.shape), given=axes, named=named, is_bytes=is_bytes))
