"""Selecting one channel or one time point: an axis is fixed and leaves the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import AxisName
from napari_hmz.sources.geometry import Geometry
from napari_hmz.sources.pixels import Box, Pieces, Pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Selection:
    """Positions of an array's axes that are fixed to an index; the others stay."""

    fixed: Mapping[int, int]

    def kept(self, dimensions: int) -> tuple[int, ...]:
        """Return the positions of the axes that stay."""
        return tuple(position for position in range(dimensions) if position not in self.fixed)

    def widened(self, rest: Sequence[int], fixed: Mapping[int, int]) -> tuple[int, ...]:
        """Put `fixed` back among the `rest`."""
        whole = list(rest)
        for position in sorted(fixed):
            whole.insert(position, fixed[position])
        return tuple(whole)


class SelectedPixels:
    """Pixels with some axes fixed."""

    def __init__(self, pixels: Pixels, selection: Selection) -> None:
        self._pixels = pixels
        self._selection = selection
        self._kept = selection.kept(len(pixels.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the axes that stay."""
        return tuple(self._pixels.shape[position] for position in self._kept)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        return self._pixels.dtype

    @property
    def pieces(self) -> Pieces | None:
        """How the data are stored along the axes that stay."""
        pieces = self._pixels.pieces
        return pieces and tuple(pieces[position] for position in self._kept)

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        whole = list(box)
        for position in sorted(self._selection.fixed):
            index = self._selection.fixed[position]
            whole.insert(position, slice(index, index + 1))
        return self._pixels.read(tuple(whole)).reshape([part.stop - part.start for part in box])

    def close(self) -> None:
        """Close the file."""
        self._pixels.close()


def select(
    geometry: Geometry,
    shape: Sequence[int],
    *,
    channel: int | str | None,
    time: int | None,
) -> tuple[Selection, Geometry]:
    """Return which axes are fixed to what, and the geometry that remains.

    Raises
    ------
    AxesMismatch
        If the image lacks the axis, or the axis lacks the index or name.
    """
    fixed: dict[int, int] = {}
    remaining = geometry
    wanted: list[tuple[AxisName, int | None]] = [("c", _numbered(channel, geometry)), ("t", time)]
    for axis, index in wanted:
        if index is None:
            continue
        if axis not in geometry.axes:
            raise AxesMismatch(f"The image has no axis {axis} to select from.")
        position = geometry.axes.index(axis)
        if not 0 <= index < shape[position]:
            raise AxesMismatch(
                f"Index {index} is outside of axis {axis}: 0 to {shape[position] - 1}."
            )
        fixed[position] = index
        remaining = remaining.without(axis)
    return Selection(fixed), remaining


def _numbered(channel: int | str | None, geometry: Geometry) -> int | None:
    if channel is None or isinstance(channel, int):
        return channel
    if channel in geometry.channel_names:
        return geometry.channel_names.index(channel)
    names = ", ".join(geometry.channel_names) or "none"
    raise AxesMismatch(f"There is no channel named {channel!r}; the image names {names}.")
