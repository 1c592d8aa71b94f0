"""Meet the network's size rule: pad a tile at its far ends, and crop the results back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .axes import axis_ids
from .description import Description
from .errors import TileRejected
from .reference import AxisDescription, SizeDescription, TensorDescription

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = dict[str, int]
"""Axis id to extent."""


def shape_of(tensor: TensorDescription, array: "NDArray[Any]") -> Shape:
    """Name the extents of an array that has all axes of a tensor description."""
    return dict(zip(axis_ids(tensor), array.shape, strict=True))


def accepted(size: SizeDescription, extent: int) -> int:
    """Return the least extent of the rule `size` that holds `extent`.

    Raises
    ------
    TileRejected
        If the rule is one fixed extent, and smaller.
    """
    if isinstance(size, int):
        if extent > size:
            raise TileRejected(f"an extent of {extent} is larger than the network's {size}")
        return size
    if not hasattr(size, "step"):
        return extent
    beyond = max(0, extent - size.min)
    return int(size.min + -(-beyond // size.step) * size.step)


def target_shapes(description: Description, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return for each input the shape that the network accepts and that holds the given one."""
    targets: dict[str, Shape] = {}
    for name, shape in shapes.items():
        axes = {str(axis.id): axis for axis in description.inputs[name].axes}
        try:
            targets[name] = {
                axis: extent if axis in ("batch", "channel") else accepted(axes[axis].size, extent)
                for axis, extent in shape.items()
            }
        except TileRejected as error:
            raise TileRejected(error.cause, tensor=name) from error
    for name in shapes:
        _follow_references(description, name, targets)
    return targets


def _follow_references(description: Description, name: str, targets: dict[str, Shape]) -> None:
    for axis in description.inputs[name].axes:
        reference = axis.size
        if hasattr(reference, "axis_id") and str(reference.tensor_id) in targets:
            targets[name][str(axis.id)] = referred(description, axis, targets)


def referred(description: Description, axis: AxisDescription, shapes: Mapping[str, Shape]) -> int:
    """Return the extent of an axis whose size refers to an axis of a tensor in `shapes`."""
    source = description.inputs[str(axis.size.tensor_id)]
    scale = next(a.scale for a in source.axes if a.id == axis.size.axis_id)
    extent = shapes[str(axis.size.tensor_id)][str(axis.size.axis_id)]
    return int(round(extent * scale / axis.scale) + axis.size.offset)


def pad(tensor: TensorDescription, array: "NDArray[Any]", target: Shape) -> "NDArray[Any]":
    """Pad an array at its far ends to `target`, in the input's own pad mode."""
    widths = [(0, target[axis] - extent) for axis, extent in shape_of(tensor, array).items()]
    if not any(after for _, after in widths):
        return array
    mode: Any = tensor.pad.mode if tensor.pad is not None else "symmetric"
    if mode == "constant":
        return np.pad(array, widths, mode="constant", constant_values=tensor.pad.value)
    return np.pad(array, widths, mode=mode)


def crop(
    description: Description, name: str, array: "NDArray[Any]", shapes: Mapping[str, Shape]
) -> "NDArray[Any]":
    """Cut an output back to what belongs to the inputs' shapes before padding."""
    index = [slice(None)] * array.ndim
    for position, axis in enumerate(description.outputs[name].axes):
        refers = hasattr(axis.size, "axis_id") and str(axis.size.tensor_id) in shapes
        if refers and str(axis.id) not in ("batch", "channel"):
            index[position] = slice(0, referred(description, axis, shapes))
    return array[tuple(index)]
