"""Several images as the channels of one: read side by side, by chunk, when they are asked for."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import AxesMismatch, DtypeUnsuitable, VoxelSizeMismatch
from napari_hmz.schema import AXIS_ORDER, Axes, AxisName, Region, VolumeRequest
from napari_hmz.sources import fingerprint
from napari_hmz.sources.pixels import Box, Pieces
from napari_hmz.sources.protocol import Origin, Source
from napari_hmz.sources.rechunk import RechunkedSource, v3_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLOSE = 1e-3
"""Voxel sizes this near are the same: files round them."""


def stacked(sources: Sequence[Source], names: Sequence[str] = ()) -> Source:
    """Return images as the channels of one image, in this order; it closes them.

    Nothing is read before it is asked for, and no more of each image than that.

    Parameters
    ----------
    sources
        Images without a channel axis, all of the same axes, shape, data type and voxel size.
    names
        What the channels are called; else as the images.

    Raises
    ------
    AxesMismatch
        If there are none, one has channels of its own, or their axes or extents differ.
    DtypeUnsuitable
        If their data types differ.
    VoxelSizeMismatch
        If their voxel sizes differ.
    """
    _check(sources)
    first = sources[0].request
    channels: dict[AxisName, int] = {"c": len(sources)}
    axes = _with_channels(first.axes)
    shape, chunks = first.shape | channels, first.chunks | {"c": 1}
    document = v3_document(
        tuple(shape[axis] for axis in axes),
        tuple(chunks[axis] for axis in axes),
        np.dtype(first.dtype),
    )
    facts: dict[str, Any] = {
        "axes": axes,
        "shape": shape,
        "chunks": chunks,
        "dtype": first.dtype,
        "array": document.model_dump(),
        "voxel_size": first.voxel_size,
        "units": first.units,
        "translation": first.translation,
        "channel_names": tuple(names) or tuple(source.request.name for source in sources),
    }
    parts = ":".join(source.request.fingerprint for source in sources)
    request = VolumeRequest(
        name=first.name,
        fingerprint=fingerprint.combine(f"stacked:{parts}", facts),
        together=_together(sources),
        **facts,
    )
    return RechunkedSource(StackedPixels(sources, axes), request, _origin(sources, names))


def open_stacked(openings: Sequence[Callable[[], Source]], names: Sequence[str] = ()) -> Source:
    """Open images and return them as the channels of one; nothing stays open if that fails.

    Raises
    ------
    HmzError
        As `stacked` does, and as the openings do.
    """
    with ExitStack() as opened:
        sources = []
        for opening in openings:
            sources.append(opening())
            opened.callback(sources[-1].close)
        stack = stacked(sources, names)
        opened.pop_all()
    return stack


class StackedPixels:
    """Sources side by side along `c`.

    Parameters
    ----------
    axes
        Those of the sources, and `c`.
    """

    def __init__(self, sources: Sequence[Source], axes: Axes) -> None:
        self._sources = tuple(sources)
        self._axes = axes
        self._place = axes.index("c")

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        shape = self._sources[0].request.shape | {"c": len(self._sources)}
        return tuple(shape[axis] for axis in self._axes)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """That of every source."""
        return np.dtype(self._sources[0].request.dtype)

    @property
    def pieces(self) -> Pieces | None:
        """None: the sources hold what they have read of their pieces."""
        return None

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        wanted = self._sources[box[self._place]]
        region: Region = {
            axis: (part.start, part.stop)
            for axis, part in zip(self._axes, box, strict=True)
            if axis != "c"
        }
        if not wanted:
            return np.empty([part.stop - part.start for part in box], self.dtype)
        return np.stack([source.read(region) for source in wanted], axis=self._place)

    def close(self) -> None:
        """Close every source."""
        for source in self._sources:
            source.close()


def _check(sources: Sequence[Source]) -> None:
    if not sources:
        raise AxesMismatch("Channels are to be stacked, but there are none.")
    first = sources[0].request
    for request in (source.request for source in sources):
        if "c" in request.axes:
            raise AxesMismatch(
                f"{_named(request)} has channels of its own, and cannot be a channel as a whole.",
                remedy="Choose one of its channels.",
            )
        if request.axes != first.axes or request.shape != first.shape:
            raise AxesMismatch(
                f"{_named(first)} has {_extents(first)}, and {_named(request)} has "
                f"{_extents(request)}: the channels of one image have the same extents.",
                remedy="Choose images of the same extents, or crop one of them.",
            )
        if request.dtype != first.dtype:
            raise DtypeUnsuitable(
                f"{_named(first)} holds {first.dtype}, and {_named(request)} holds "
                f"{request.dtype}: the channels of one image are of one data type.",
                remedy="Convert one of them first.",
            )
        _check_voxels(first, request)


def _check_voxels(first: VolumeRequest, other: VolumeRequest) -> None:
    for axis in first.axes:
        one, two = first.voxel_size.get(axis, 1.0), other.voxel_size.get(axis, 1.0)
        units = first.units.get(axis, ""), other.units.get(axis, "")
        if units[0] != units[1] or not math.isclose(one, two, rel_tol=CLOSE):
            told = " and ".join(
                f"{size:g} {unit or 'pixel'}" for size, unit in zip((one, two), units, strict=True)
            )
            raise VoxelSizeMismatch(
                f"{_named(first)} and {_named(other)} differ in voxel size along {axis}: {told}.",
                remedy="Correct the voxel size of one of them, or resample it.",
            )


def _with_channels(axes: Axes) -> Axes:
    """Put `c` where it usually stands, and leave the others in their order."""
    behind = AXIS_ORDER[AXIS_ORDER.index("c") :]
    place = next(at for at, axis in enumerate(axes) if axis in behind)
    return (*axes[:place], "c", *axes[place:])


def _together(sources: Sequence[Source]) -> dict[AxisName, int]:
    """Return which chunks are best read at once: what the images agree on."""
    each = [source.request.together for source in sources]
    alike = all(one == each[0] for one in each)
    return each[0] | {"c": 1} if each[0] and alike else {}


def _origin(sources: Sequence[Source], names: Sequence[str]) -> Origin | None:
    origins = [source.origin for source in sources]
    known = tuple(origin for origin in origins if origin is not None)
    if len(known) < len(origins):
        return None
    return Origin(address=known[0].address, stacked=known, channel_names=tuple(names))


def _named(request: VolumeRequest) -> str:
    return request.name or "An image"


def _extents(request: VolumeRequest) -> str:
    return " x ".join(f"{axis} {request.shape[axis]}" for axis in request.axes)
