"""Cutting of tiles: what lies in the image is read once, the rest is padded as the model says.

Runs in block tasks, on any thread; nothing is shared.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning.blocks import Block
from hmz_backend.planning.checks import tile_dtype
from hmz_backend.planning.roles import wanted_channels
from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import (
    AxisName,
    InputSpec,
    Interval,
    Plan,
    Region,
    Sizes,
    VolumeRequest,
    extents,
    full_region,
    intersection,
)
from napari_hmz.schema.card import PadMode

Read = Callable[[Region], NDArray[Any]]
"""Reads a region that lies inside the image; the array has the image's axes."""


def cut_tile(  # noqa: PLR0917 # the order in which one says it
    read: Read,
    tile: Region,
    bounds: Region,
    axes: Sequence[AxisName],
    pad: PadMode,
    pad_value: float = 0.0,
) -> NDArray[Any]:
    """Return the voxels of `tile`, which may reach outside the image.

    ```
           │← read once →│
    ┌──────┼─────────────┼──────┐
    │ pad  │  image      │ pad  │   reflect: as numpy.pad does, bouncing as often as needed
    └──────┴─────────────┴──────┘   an axis of one voxel has nothing to reflect: its edge
    ```

    Parameters
    ----------
    read
        Called once, with the part of the tile inside the image.
    tile
        What to return, in the image's coordinates.
    bounds
        Where voxels may be read: the whole image, or a part of it.
    axes
        The axes of the array, outermost first.
    pad, pad_value
        As in the model card.

    Returns
    -------
    An array with `axes` and the extents of `tile`.
    """
    part = intersection(tile, bounds)
    array = read(part)
    before_after = [(part[axis][0] - tile[axis][0], tile[axis][1] - part[axis][1]) for axis in axes]
    return pad_array(array, before_after, pad, pad_value)


def pad_array(
    array: NDArray[Any], before_after: Sequence[Interval], pad: PadMode, pad_value: float = 0.0
) -> NDArray[Any]:
    """Pad `array` on both sides of each axis, as `numpy.pad` does."""
    if not any(side for sides in before_after for side in sides):
        return array
    if pad == "constant":
        return np.pad(array, before_after, mode="constant", constant_values=pad_value)
    return np.pad(array, before_after, mode=pad)


def model_tile(
    array: NDArray[Any], volume_axes: Sequence[AxisName], spec: InputSpec, channels: Sequence[int]
) -> NDArray[Any]:
    """Give a tile of the image exactly the axes of the model's input.

    Parameters
    ----------
    array
        A tile with the axes of the image; one voxel long along axes that the model lacks.
    volume_axes
        The axes of `array`.
    spec
        The model's input.
    channels
        Indices along `c` of `array`, in the model's order; empty: as they come.

    Raises
    ------
    AxesMismatch
        If an axis that the model lacks is longer than one.
    """
    axes = list(volume_axes)
    if channels and "c" in axes:
        array = np.take(array, list(channels), axis=axes.index("c"))
    extra = [axis for axis in axes if axis not in spec.axes]
    if any(array.shape[axes.index(axis)] != 1 for axis in extra):
        raise AxesMismatch(f"The model has no axes {', '.join(extra)} to take.")
    array = array.squeeze(tuple(axes.index(axis) for axis in extra))
    axes = [axis for axis in axes if axis not in extra]
    if "c" in spec.axes and "c" not in axes:
        array, axes = array[np.newaxis], ["c", *axes]
    return np.ascontiguousarray(array.transpose([axes.index(axis) for axis in spec.axes]))


def read_tile(
    read: Read, plan: Plan, volume: VolumeRequest, spec: InputSpec, block: Block
) -> NDArray[Any]:
    """Return what the model sees of a block: cut, padded, its axes, channels and data type.

    Returns
    -------
    An array with the axes of `spec`, in a data type that the model takes.
    """
    taken = plan.channels or tuple(range(wanted_channels(spec)))
    context = plan.context or full_region(volume.shape)
    cut = [_cut(read, volume, spec, part, context) for part in _channel_runs(plan, block)]
    joined = cut[0] if len(cut) == 1 else np.concatenate(cut, axis=volume.axes.index("c"))
    held = sorted(set(taken))
    chosen = [held.index(channel) for channel in taken] if plan.channels else []
    tile = model_tile(joined, volume.axes, spec, chosen)
    return tile.astype(tile_dtype(volume.dtype, spec), copy=False)


def _cut(
    read: Read, volume: VolumeRequest, spec: InputSpec, tile: Region, context: Region
) -> NDArray[Any]:
    bounds = {**context, "c": tile["c"]} if "c" in tile else context
    return cut_tile(read, tile, bounds, volume.axes, spec.pad, spec.pad_value)


def _channel_runs(plan: Plan, block: Block) -> list[Region]:
    """Split a tile into runs of channels that follow each other: others may not be held."""
    runs: list[list[int]] = []
    for channel in sorted(set(plan.channels)):
        if runs and channel == runs[-1][1]:
            runs[-1][1] = channel + 1
        else:
            runs.append([channel, channel + 1])
    return [{**block.tile, "c": (low, high)} for low, high in runs] or [dict(block.tile)]


def tile_extents(spec: InputSpec, block: Block) -> Sizes:
    """Return the extents of what `read_tile` returns, in the order of the model's axes."""
    found = extents(block.tile)
    return {axis: wanted_channels(spec) if axis == "c" else found[axis] for axis in spec.axes}
