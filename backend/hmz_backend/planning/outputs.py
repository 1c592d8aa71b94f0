"""The arrays that a run writes, derived from the model's outputs and the volume's geometry."""

from math import prod

from hmz_backend.planning.roles import AxisRoles, ordered
from napari_hmz.errors import AxesMismatch, ParameterInvalid, PlanImpossible
from napari_hmz.schema import (
    AxisName,
    ModelCard,
    OutputArray,
    OutputSpec,
    Region,
    Sizes,
    VolumeRequest,
    extents,
)

UINT32_IDS = 2**32
SMALLEST_OBJECT_PX = 8
"""Mean extent of objects, less than which no image is made of: 2 voxels along each axis."""


def wanted_outputs(card: ModelCard, names: tuple[str, ...]) -> tuple[OutputSpec, ...]:
    """Return the outputs asked for, in the card's order; all if none is named.

    Raises
    ------
    ParameterInvalid
        If the model has no such output.
    """
    known = {spec.name: spec for spec in card.outputs}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ParameterInvalid(
            f"The model has no output {', '.join(unknown)}; it has {', '.join(known)}."
        )
    return tuple(spec for spec in card.outputs if not names or spec.name in names)


def output_channels(spec: OutputSpec) -> int:
    """Return how many channels a model's output has; 1 where it has no such axis."""
    return max(1, len(spec.channels) or len(spec.classes)) if "c" in spec.axes else 1


def output_array(
    spec: OutputSpec, volume: VolumeRequest, region: Region, roles: AxisRoles, block: Sizes
) -> OutputArray:
    """Return the array that an output becomes: iterated axes come back, a single channel goes.

    Raises
    ------
    AxesMismatch
        If the model makes channels for each channel of the image.
    PlanImpossible
        If the output lacks an axis of the tile, or is instance labels with several channels.
    """
    lacking = [axis for axis in roles.tiled if axis not in spec.axes]
    if lacking:
        raise PlanImpossible(f"The output {spec.name} has no axis {', '.join(lacking)}.")
    made = output_channels(spec)
    _check_channels(spec, made, roles)
    axes = ordered({*roles.tiled, *roles.iterated} | ({"c"} if made > 1 else set()))
    own: Sizes = {"c": made} if made > 1 else {}
    whole = {**extents(region), **own}
    shape: Sizes = {axis: whole[axis] for axis in axes}
    chunks = {**block, **own}
    spatial = [axis for axis in axes if axis != "c"]
    return OutputArray(
        name=spec.name,
        kind=spec.kind,
        axes=axes,
        shape=shape,
        chunks={axis: chunks[axis] for axis in axes},
        dtype=_dtype(spec, shape),
        voxel_size={a: volume.voxel_size[a] for a in spatial if a in volume.voxel_size},
        units={a: volume.units[a] for a in spatial if a in volume.units},
        translation={a: _translation(volume, region, a) for a in spatial},
        channels=_channel_names(spec, volume, region, made, axes),
        classes=spec.classes,
    )


def _check_channels(spec: OutputSpec, made: int, roles: AxisRoles) -> None:
    if made > 1 and "c" in roles.iterated:
        raise AxesMismatch(
            f"The output {spec.name} has {made} channels for each channel of the image.",
            remedy="Choose one channel of the image.",
        )
    if made > 1 and spec.kind == "instance-labels":
        raise PlanImpossible(f"The output {spec.name} has instance labels in {made} channels.")


def _dtype(spec: OutputSpec, shape: Sizes) -> str:
    """Return the data type of the array; the ids of a whole volume need more than a tile's."""
    if spec.stitch.mode != "merge-labels":
        return spec.dtype
    voxels = prod(shape.values())
    return "uint32" if voxels < UINT32_IDS * SMALLEST_OBJECT_PX else "uint64"


def _translation(volume: VolumeRequest, region: Region, axis: AxisName) -> float:
    return volume.translation.get(axis, 0.0) + region[axis][0] * volume.voxel_size.get(axis, 1.0)


def _channel_names(
    spec: OutputSpec,
    volume: VolumeRequest,
    region: Region,
    made: int,
    axes: tuple[AxisName, ...],
) -> tuple[str, ...]:
    if "c" not in axes:
        return ()
    if made > 1:
        return spec.channels or tuple(found.name for found in spec.classes)
    return volume.channel_names[slice(*region["c"])]
