"""The arrays of one tile on their way through a package: checked, named, to scale and back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .axes import ROWS, axis_ids
from .description import Description
from .errors import ServingError, TileRejected
from .reference import Tensor, TensorDescription
from .rescale import Stretch, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

Part: TypeAlias = Mapping[str, Sequence[int]]
"""Axis -> where a part of an output begins and ends, and the extent of the whole output."""

NUMBER_KINDS = "buif"
"""Booleans, unsigned and signed integers, floats."""


def check_inputs(description: Description, inputs: "Mapping[str, NDArray[Any]]") -> None:
    """Look at the inputs' names, axes and dtypes.

    Raises
    ------
    TileRejected
        If one is missing, unknown, empty, or of wrong axes or dtype.
    """
    known = description.inputs
    for name in inputs:
        if name not in known:
            raise TileRejected(f"the model has no such input, only {sorted(known)}", tensor=name)
    for name, tensor in known.items():
        if name in inputs:
            _check_array(name, inputs[name], description.input_axes(name))
        elif not tensor.optional:
            raise TileRejected("the input is missing", tensor=name)


def _check_array(name: str, array: "NDArray[Any]", axes: tuple[str, ...]) -> None:
    if array.ndim != len(axes):
        message = f"axes {list(axes)} are needed, the shape is {written(array.shape)}"
        raise TileRejected(message, tensor=name)
    if array.dtype.kind not in NUMBER_KINDS:
        raise TileRejected(f"dtype {array.dtype} holds no numbers", tensor=name)
    if not array.size:
        raise TileRejected("the tile has no voxels", tensor=name)


def written(shape: tuple[int, ...]) -> str:
    """Write a shape for a reader."""
    return "x".join(str(extent) for extent in shape) or "none"


def with_batch(
    description: Description, inputs: "Mapping[str, NDArray[Any]]"
) -> "dict[str, NDArray[Any]]":
    """Give each input the batch axis that its description has."""
    batched = {}
    for name, array in inputs.items():
        ids = axis_ids(description.inputs[name])
        batched[name] = np.expand_dims(array, ids.index("batch")) if "batch" in ids else array
    return batched


def named(
    tensors: Mapping[str, TensorDescription], arrays: "Mapping[str, NDArray[Any]]"
) -> "dict[Any, Tensor]":
    """Make the reference's tensors, with axes by name, of arrays in their described axes."""
    from bioimageio.core import Tensor as NamedArray

    return {
        tensors[name].id: NamedArray(array, dims=[axis.id for axis in tensors[name].axes])
        for name, array in arrays.items()
    }


def unnamed(
    tensors: Mapping[str, TensorDescription], members: "Mapping[Any, Tensor]"
) -> "dict[str, NDArray[Any]]":
    """Make arrays in their described axes of the reference's tensors."""
    given = {str(name): tensor for name, tensor in members.items()}
    return {
        name: given[name].transpose([axis.id for axis in tensor.axes]).to_numpy()
        for name, tensor in tensors.items()
        if name in given
    }


def stretches(
    description: Description,
    name: str,
    array: "NDArray[Any]",
    zoom: Mapping[str, float],
    origin: Mapping[str, int],
) -> list[Stretch]:
    """Return where an input (with batch axis) lies at the network's scale, axis by axis."""
    found = []
    for axis, extent in zip(description.inputs[name].axes, array.shape, strict=True):
        place, step = origin.get(str(axis.id), 0), int(getattr(axis.size, "step", 1) or 1)
        found.append(Stretch.over(zoom.get(str(axis.id), 1.0), place, extent, step))
    return found


def to_scale(
    description: Description,
    arrays: "dict[str, NDArray[Any]]",
    zoom: Mapping[str, float],
    origin: Mapping[str, int],
) -> "dict[str, NDArray[Any]]":
    """Zoom the inputs to the scale of the network: images linearly, labels by the nearest value."""
    if not zoom:
        return arrays
    declared = description.config.get("inputs") or {}
    scaled = {}
    for name, array in arrays.items():
        along = stretches(description, name, array, zoom, origin)
        is_image = declared.get(name, {}).get("kind", "image") == "image"
        shape, places = tuple(one.length for one in along), [one.into for one in along]
        scaled[name] = resample(array, shape, places, linear=is_image)
    return scaled


def from_scale(
    description: Description,
    fields: "dict[str, NDArray[Any]]",
    inputs: "Mapping[str, NDArray[Any]]",
    zoom: Mapping[str, float],
    origin: Mapping[str, int],
) -> "dict[str, NDArray[Any]]":
    """Zoom the network's outputs back to the grid of the first input (with batch axis)."""
    if not zoom:
        return fields
    first = next(iter(description.inputs))
    along = stretches(description, first, inputs[first], zoom, origin)
    own = dict(zip(axis_ids(description.inputs[first]), along, strict=True))
    scaled = {}
    for name, field in fields.items():
        shape, places = list(field.shape), [(0.0, 1.0)] * field.ndim
        for number, axis in enumerate(axis_ids(description.outputs[name])):
            if axis in zoom:
                shape[number], places[number] = own[axis].extent, own[axis].back
        scaled[name] = resample(field, tuple(shape), places)
    return scaled


def on_card(description: Description, name: str, tensor: Tensor) -> "NDArray[Any]":
    """Bring an output to the card's axes: without batch, and without channels if it is labels."""
    dropped = {"batch", "channel"} if description.is_labels(name) else {"batch"}
    index = {axis: 0 for axis in tensor.dims if str(axis) in dropped}
    kept = [axis for axis in axis_ids(description.outputs[name]) if axis not in dropped]
    kept = kept if description.columns(name) is None else list(ROWS)
    array: NDArray[Any] = tensor.data.isel(index).transpose(*kept).to_numpy()
    return array


def final(
    description: Description, name: str, array: "NDArray[Any]", used: Part | None = None
) -> "NDArray[Any]":
    """Check an output's axes and give it in its declared dtype; floats are rounded and clipped.

    Parameters
    ----------
    used
        Only this part is given, unless the output has other extents than were expected.

    Raises
    ------
    ServingError
        If it has not the declared number of axes, or of columns.
    """
    axes = description.output_axes(name)
    if array.ndim != len(axes):
        message = f"axes {list(axes)} are declared, the result is {written(array.shape)}"
        raise ServingError(message, tensor=name)
    columns = description.columns(name)
    if columns is not None and array.shape[1] != len(columns):
        message = f"columns {list(columns)} are declared, the rows have {array.shape[1]}"
        raise ServingError(message, tensor=name)
    array = _used(array, axes, used or {})
    dtype = np.dtype(description.output_dtype(name))
    if dtype.kind in "ui" and array.dtype.kind == "f":
        limits = np.iinfo(dtype)
        array = np.clip(np.rint(array), limits.min, limits.max)
    return np.ascontiguousarray(array, dtype=dtype)


def _used(array: "NDArray[Any]", axes: Sequence[str], used: Part) -> "NDArray[Any]":
    """Return the part of an output that is used, or all of it if it is not as was expected."""
    sizes = zip(axes, array.shape, strict=True)
    if any(axis in used and used[axis][2] != extent for axis, extent in sizes):
        return array  # whoever asked finds out, and tells it better
    return array[tuple(slice(*used[a][:2]) if a in used else slice(None) for a in axes)]
