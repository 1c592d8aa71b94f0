"""Input and output tensors of a bioimage.io description as the card's specs."""

from collections.abc import Mapping

from hmz_backend.serving.description import Description
from hmz_backend.serving.reference import AxisDescription, TensorDescription
from hmz_backend.zoo.extension import InputExtension, OutputExtension
from hmz_backend.zoo.tables import table_spec
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import (
    TABLE_KINDS,
    ClassSpec,
    InputSpec,
    OutputKind,
    OutputSpec,
    SizeRule,
    Sizes,
    StitchSpec,
)
from napari_hmz.schema.axes import SPATIAL_AXES, AxisName

UM_PER_UNIT: Mapping[str, float] = {
    "angstrom": 1e-4,
    "picometer": 1e-6,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}


LABEL_DTYPES = ("uint8", "uint16", "uint32", "int32", "uint64", "int64")
"""What labels come in, where the package does not say."""


def input_spec(description: Description, name: str, extension: InputExtension) -> InputSpec:
    """Describe one input; `extension` decides, and what it leaves open is derived.

    Raises
    ------
    PackageInvalid
        If an axis' size cannot be expressed as a minimum and a step.
    """
    tensor = description.inputs[name]
    dtypes = extension.dtypes or (LABEL_DTYPES if extension.kind == "labels" else ())
    given = {"dtypes": dtypes} if dtypes else {}
    value = (
        getattr(tensor.pad, "value", 0.0) if extension.pad_value is None else extension.pad_value
    )
    return InputSpec(
        name=name,
        kind=extension.kind,
        axes=description.input_axes(name),
        channels=extension.channels or _channel_names(tensor) or ("intensity",),
        sizes={axis: _size_rule(description, tensor, axis) for axis in _spatial(description, name)},
        voxel_size_um=extension.voxel_size_um or _voxel_size_um(tensor),
        voxel_size_tolerance=extension.voxel_size_tolerance,
        pad=extension.pad or (tensor.pad.mode if tensor.pad is not None else "reflect"),
        pad_value=float(value),
        optional=bool(tensor.optional),
        **given,
    )


def _spatial(description: Description, name: str) -> tuple[AxisName, ...]:
    axes = description.input_axes(name)
    return tuple(axis for axis in SPATIAL_AXES if axis in axes)


def _axis(tensor: TensorDescription, axis: str) -> AxisDescription:
    return next(entry for entry in tensor.axes if str(entry.id) == axis)


def _channel_names(tensor: TensorDescription) -> tuple[str, ...]:
    for axis in tensor.axes:
        if str(axis.id) == "channel":
            return tuple(str(name) for name in axis.channel_names)
    return ()


def _size_rule(description: Description, tensor: TensorDescription, axis: str) -> SizeRule:
    size = _axis(tensor, axis).size
    if hasattr(size, "tensor_id"):
        other = description.inputs.get(str(size.tensor_id))
        if other is None or size.offset:
            raise PackageInvalid(f"The size of axis {axis} of input {tensor.id} is not understood.")
        size = _axis(other, str(size.axis_id)).size
    if isinstance(size, int):
        return SizeRule(minimum=size, step=0)
    return SizeRule(minimum=size.min, step=size.step)


def _voxel_size_um(tensor: TensorDescription) -> dict[AxisName, float]:
    sizes: dict[AxisName, float] = {}
    for axis in SPATIAL_AXES:
        for entry in tensor.axes:
            factor = UM_PER_UNIT.get(str(getattr(entry, "unit", None)))
            if str(entry.id) == axis and factor is not None:
                sizes[axis] = float(entry.scale) * factor
    return sizes


def output_spec(description: Description, name: str, extension: OutputExtension) -> OutputSpec:
    """Describe one output; `extension` decides, and what it leaves open is derived.

    Raises
    ------
    PackageInvalid
        If the output lies on another grid than the input, or its rows say something else.
    """
    tensor = description.outputs[name]
    if description.columns(name) is not None:
        return table_spec(description, name, extension)
    kind = extension.kind or derived_kind(description, name)
    if kind in TABLE_KINDS:
        raise PackageInvalid(f"Output {name} is {kind}, and has no axis of type index.")
    classes = extension.classes or (_classes(tensor) if kind == "semantic-labels" else ())
    axes = description.output_axes(name)
    return OutputSpec(
        name=name,
        kind=kind,
        axes=axes,
        dtype=extension.dtype or description.output_dtype(name),
        channels=extension.channels or (_channel_names(tensor) if "c" in axes else ()),
        classes=classes,
        stitch=extension.stitch or derived_stitch(kind),
        margin_px=margin_px(description, tensor),
    )


def derived_kind(description: Description, name: str) -> OutputKind:
    """Say what an output is, from its processing and its values."""
    tensor = description.outputs[name]
    if description.is_labels(name):
        return "instance-labels"
    steps = {str(step.id) for step in tensor.postprocessing}
    if steps & {"sigmoid", "softmax"}:
        return "probabilities"
    if getattr(tensor.data, "values", None) or "binarize" in steps:
        return "semantic-labels"
    return "image"


def derived_stitch(kind: OutputKind) -> StitchSpec:
    """Say how tiles of such an output are joined when the package does not."""
    if kind == "instance-labels":
        return StitchSpec(mode="merge-labels")
    return StitchSpec(mode="blend" if kind == "probabilities" else "crop")


def _classes(tensor: TensorDescription) -> tuple[ClassSpec, ...]:
    values = getattr(tensor.data, "values", None) or ()
    return tuple(
        ClassSpec(value=int(value) if not isinstance(value, str) else index, name=str(value))
        for index, value in enumerate(values)
    )


def margin_px(description: Description, tensor: TensorDescription) -> Sizes:
    """Return what an output lacks on each side of the input tile.

    Raises
    ------
    PackageInvalid
        If the output is scaled, larger than the input, or lacks an odd number of voxels.
    """
    margins: Sizes = {}
    for axis in SPATIAL_AXES:
        for entry in tensor.axes:
            size = entry.size
            if str(entry.id) == axis and hasattr(size, "tensor_id"):
                margins[axis] = _margin(description, tensor, entry)
    return {axis: margin for axis, margin in margins.items() if margin}


def _margin(description: Description, tensor: TensorDescription, entry: AxisDescription) -> int:
    where = f"Axis {entry.id} of output {tensor.id}"
    source = description.inputs.get(str(entry.size.tensor_id))
    if source is None:
        raise PackageInvalid(f"{where} refers to {entry.size.tensor_id}, which is no input.")
    if _axis(source, str(entry.size.axis_id)).scale != entry.scale:
        raise PackageInvalid(
            f"{where} has another scale than its input; only outputs on the input's grid can run.",
            remedy="Resample the output to the input's size inside the model.",
        )
    missing = -int(entry.size.offset)
    if missing < 0 or missing % 2:
        raise PackageInvalid(f"{where} is not the input less the same margin on both sides.")
    return missing // 2
