"""What the reader of one format offers to the sources above it: boxes of an n-d array."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from napari_hmz.errors import HmzError, SourceUnreadable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_hmz.sources.geometry import Geometry

Box = tuple[slice, ...]
"""One slice with start and stop per axis, inside the array."""

Pieces = tuple[tuple[int, ...], ...]
"""Along each axis, the extents in which a format stores its data."""


class Pixels(Protocol):
    """An n-d array that is read by box, from any thread."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored; byte order may differ from the machine's."""

    @property
    def pieces(self) -> Pieces | None:
        """How the data are stored; none where any box costs only its own size."""

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""

    def close(self) -> None:
        """Close files; closing twice is no error."""


@dataclass(frozen=True, slots=True)
class Image:
    """An opened image: pixels, what is known of them, and what tells them from others.

    Parameters
    ----------
    identity
        The same only for the same pixels: goes into the fingerprint.
    address
        Where it lies, for another process; none if only in memory.
    """

    pixels: Pixels
    geometry: "Geometry"
    identity: str
    address: str | None = None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a format's library raises into `SourceUnreadable`."""
    try:
        yield
    except SourceUnreadable as error:
        raise SourceUnreadable(f"{what}: {error.detail}", remedy=error.remedy) from error
    except (HmzError, MemoryError):
        raise
    except Exception as error:  # formats' libraries raise anything, for damaged files above all
        raise SourceUnreadable(f"{what}: {_said(error)}.") from error


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def uniform(shape: tuple[int, ...], extents: tuple[int, ...]) -> Pieces:
    """Return the pieces of a regular grid, the last ones cut at the edge."""
    return tuple(
        (extent,) * (size // extent) + ((size % extent,) if size % extent else ())
        for size, extent in zip(shape, extents, strict=True)
    )
