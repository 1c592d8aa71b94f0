"""Output tensors of rows: points, boxes and tables, told apart by the names of their columns.

bioimage.io has the axes for them: `index`, of a size that depends on the data, for the rows, and
`channel`, whose names are the columns.
"""

import re

from hmz_backend.serving.description import Description
from hmz_backend.zoo.extension import OutputExtension
from napari_hmz.errors import PackageInvalid
from napari_hmz.places import ends_of
from napari_hmz.schema import (
    AXIS_ORDER,
    SPATIAL_AXES,
    TABLE_KINDS,
    AxisName,
    OutputKind,
    OutputSpec,
)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def table_spec(description: Description, name: str, extension: OutputExtension) -> OutputSpec:
    """Describe one output of rows.

    Raises
    ------
    PackageInvalid
        If the columns do not say what rows of this kind must say.
    """
    columns = description.columns(name) or ()
    first = description.input_axes(next(iter(description.inputs)))
    axes = tuple(axis for axis in SPATIAL_AXES if axis in first)
    kind = extension.kind or _derived_kind(columns, axes)
    if kind not in TABLE_KINDS:
        raise PackageInvalid(f"Output {name} has rows, and cannot be {kind}.")
    _check_columns(name, kind, columns, axes)
    return OutputSpec(
        name=name,
        kind=kind,
        axes=axes,
        dtype=extension.dtype or description.output_dtype(name),
        columns=columns,
    )


def _derived_kind(columns: tuple[str, ...], axes: tuple[AxisName, ...]) -> OutputKind:
    if set(axes) <= set(columns):
        return "points"
    return "boxes" if set(_box(axes)) <= set(columns) else "table"


def _box(axes: tuple[AxisName, ...]) -> list[str]:
    return [name for axis in axes for name in ends_of(axis)]


def _check_columns(
    output: str, kind: OutputKind, columns: tuple[str, ...], axes: tuple[AxisName, ...]
) -> None:
    strange = [name for name in columns if not NAME.fullmatch(name)]
    if strange or len(set(columns)) < len(columns):
        raise PackageInvalid(f"The columns of output {output} need names that tell them apart.")
    places = {*axes, *_box(axes)}
    given = places & set(columns)
    of_kind: dict[str, set[str]] = {"points": {*axes}, "boxes": {*_box(axes)}}
    needed = of_kind.get(kind, set())
    allowed: list[set[str]] = [needed] if needed else [set(), {*axes}, {*_box(axes)}]
    if given not in allowed:
        wanted = ", ".join(sorted(needed)) or "all of a place, or nothing of it"
        raise PackageInvalid(f"The columns of output {output} ({kind}) must say {wanted}.")
    reserved = {*AXIS_ORDER, *_box(AXIS_ORDER)} - places
    if beyond := [name for name in columns if name in reserved]:
        raise PackageInvalid(
            f"The columns of output {output} speak of {', '.join(beyond)}, along which the "
            "model has no extent."
        )
