"""The image that a run has worked on, copied beside its results."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_hmz.results.levels import regions_of
from napari_hmz.schema import (
    AxisName,
    ChannelStatistics,
    OutputArray,
    Plan,
    Region,
    Sizes,
    VolumeRequest,
    VolumeStatistics,
)

if TYPE_CHECKING:
    from napari_hmz.results.output import Pyramid
    from napari_hmz.sources import Source

_CHUNK_PX: dict[AxisName, int] = {"t": 1, "c": 1, "z": 32, "y": 256, "x": 256}


def image_array(request: VolumeRequest, plan: Plan) -> OutputArray:
    """Return the part of the volume that the run has worked on, described as an array."""
    region, channels = _region(request, plan), _channels(request, plan)
    axes = tuple(axis for axis in request.axes if axis != "c" or len(channels) > 1)
    shape: Sizes = {
        axis: len(channels) if axis == "c" else region[axis][1] - region[axis][0] for axis in axes
    }
    return OutputArray(
        name=request.name or "image",
        kind="image",
        axes=axes,
        shape=shape,
        chunks={axis: min(_extent(request, axis), shape[axis]) for axis in axes},
        dtype=request.dtype,
        voxel_size={axis: size for axis, size in request.voxel_size.items() if axis in axes},
        units={axis: unit for axis, unit in request.units.items() if axis in axes},
        translation={
            axis: request.translation.get(axis, 0.0)
            + region[axis][0] * request.voxel_size.get(axis, 1.0)
            for axis in axes
            if axis != "c"
        },
        channels=_names(request, plan),
    )


def copied_statistics(
    request: VolumeRequest, plan: Plan, taken: VolumeStatistics | None
) -> tuple[ChannelStatistics, ...]:
    """Return the statistics of the channels that are copied; none if they are not known."""
    channels = _channels(request, plan) or (0,)
    if taken is None or len(taken.channels) == len(channels):
        return () if taken is None else taken.channels
    return tuple(taken.channels[at] for at in channels if at < len(taken.channels))


def copy_image(source: "Source", plan: Plan, pyramid: "Pyramid") -> None:
    """Copy the region of a run from its source, chunk by chunk.

    Raises
    ------
    SourceUnreadable
        If the source cannot be read any more.
    DiskFull
        If there is no space for it.
    """
    finest = pyramid.finest()
    for there, here in _parts(source.request, plan, pyramid.array):
        values = source.read(there)
        if "c" in source.request.axes and "c" not in pyramid.array.axes:
            values = values.squeeze(source.request.axes.index("c"))
        pyramid.write(here, values, finest)


def _parts(
    request: VolumeRequest, plan: Plan, array: OutputArray
) -> Iterator[tuple[Region, Region]]:
    """Yield where each chunk lies in the source, and where in the copy."""
    region, channels = _region(request, plan), _channels(request, plan)
    for here in regions_of(array.shape, array.chunks):
        there: Region = {
            axis: (start + region[axis][0], stop + region[axis][0])
            for axis, (start, stop) in here.items()
            if axis != "c"
        }
        if channels:
            channel = channels[here["c"][0]] if "c" in here else channels[0]
            there["c"] = (channel, channel + 1)
        yield there, here


def _extent(request: VolumeRequest, axis: AxisName) -> int:
    """Return a chunk extent of the copy: no thicker than a slab that the source reads at once."""
    return min(_CHUNK_PX[axis], request.together.get(axis, _CHUNK_PX[axis]))


def _region(request: VolumeRequest, plan: Plan) -> Region:
    return {axis: plan.region.get(axis, (0, request.shape[axis])) for axis in request.axes}


def _channels(request: VolumeRequest, plan: Plan) -> tuple[int, ...]:
    if "c" not in request.axes:
        return ()
    return plan.channels or tuple(range(*_region(request, plan)["c"]))


def _names(request: VolumeRequest, plan: Plan) -> tuple[str, ...]:
    names = request.channel_names
    named = tuple(
        names[channel] if channel < len(names) else str(channel)
        for channel in _channels(request, plan)
    )
    return named or (request.name or "image",)
