"""The channels of an image that lie in an array each, or are some of those of a larger array."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import Axes, Sizes, VolumeRequest
from napari_hmz.sources.open import open_source
from napari_hmz.sources.protocol import Source
from napari_hmz.sources.stacked import open_stacked


@dataclass(frozen=True, eq=False)
class ChannelPart:
    """One channel of an image.

    Parameters
    ----------
    thing
        An array, or the levels of a pyramid.
    channel
        Which along its axis of channels; None: it has none, and is the channel.
    """

    thing: Any
    channel: int | None = None


def open_parts(parts: Sequence[ChannelPart], volume: VolumeRequest, pieces_bytes: int) -> Source:
    """Open parts as the channels of an image that was announced like this.

    Raises
    ------
    HmzError
        If one cannot be opened, or they do not fit together.
    """
    share_bytes = pieces_bytes // len(parts)
    openings = [partial(_opened, part, volume, share_bytes) for part in parts]
    return open_stacked(openings, volume.channel_names)


def place_of_channels(shape: Sequence[int], plain: Sequence[int]) -> int | None:
    """Return which axis of a shape stands beside those of a plain one; None if it is no such shape.

    Of several that could be it, the outermost is.
    """
    places = (at for at in range(len(shape)) if (*shape[:at], *shape[at + 1 :]) == tuple(plain))
    return next(places, None)


def _opened(part: ChannelPart, volume: VolumeRequest, pieces_bytes: int) -> Source:
    axes: Axes = tuple(axis for axis in volume.axes if axis != "c")
    chunks: Sizes = {axis: volume.chunks[axis] for axis in axes}
    array, own = _fitting(part, axes, volume)
    return open_source(
        array,
        axes=own,
        channel=part.channel,
        voxel_size={axis: volume.voxel_size[axis] for axis in axes if axis in volume.voxel_size},
        units={axis: volume.units[axis] for axis in axes if axis in volume.units},
        name=volume.name,
        dtypes=(volume.dtype,),
        chunks=chunks,
        pieces_bytes=pieces_bytes,
    )


def _fitting(part: ChannelPart, axes: Axes, volume: VolumeRequest) -> tuple[Any, Axes]:
    """Return the level of a part that has the extents of the volume, and its axes."""
    wanted = tuple(volume.shape[axis] for axis in axes)
    levels = part.thing if isinstance(part.thing, (list, tuple)) else [part.thing]
    for level in levels:
        shape = tuple(map(int, level.shape))
        if part.channel is None and shape == wanted:
            return level, axes
        place = place_of_channels(shape, wanted)
        if part.channel is not None and place is not None:
            return level, (*axes[:place], "c", *axes[place:])
    told = " x ".join(map(str, wanted))
    raise AxesMismatch(
        f"A channel of {volume.name!r} has {told} voxels; what was given for it has others.",
        remedy="Give the layers that the image was made of.",
    )
