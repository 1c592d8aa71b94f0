"""The tables that a run writes, derived from the model's outputs and the volume's geometry."""

from hmz_backend.planning.roles import AxisRoles, ordered
from napari_hmz.places import ends_of
from napari_hmz.schema import AxisName, OutputSpec, OutputTable, VolumeRequest


def output_table(spec: OutputSpec, volume: VolumeRequest, roles: AxisRoles) -> OutputTable:
    """Return the table that an output becomes: rows get a place along iterated axes too."""
    axes = ordered({*roles.tiled, *roles.iterated})
    placed = [name for axis in axes for name in _coordinates(spec, axis)]
    spatial = [axis for axis in axes if axis != "c"]
    return OutputTable(
        name=spec.name,
        kind=spec.kind,
        axes=axes,
        columns=(*placed, *(name for name in spec.columns if name not in placed)),
        voxel_size={a: volume.voxel_size[a] for a in spatial if a in volume.voxel_size},
        units={a: volume.units[a] for a in spatial if a in volume.units},
        translation={a: volume.translation.get(a, 0.0) for a in spatial},
    )


def _coordinates(spec: OutputSpec, axis: AxisName) -> tuple[str, ...]:
    ends = ends_of(axis)
    return ends if set(ends) <= set(spec.columns) else (axis,)
