"""OME-Zarr metadata, versions 0.1 to 0.6: levels, axes, voxel size, position, channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import AxisName
from napari_hmz.sources.geometry import Geometry, axes_named, positive, unit_named

_AXES_BEFORE_0_3 = ("t", "c", "z", "y", "x")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a multiscale image."""

    path: str
    """Of its array, below the group."""
    geometry: Geometry
    """Of that array."""


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the OME part of a group's attributes: below `ome` from 0.5 on, bare before."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def is_image(ome: Mapping[str, Any]) -> bool:
    """Tell whether these attributes are those of a multiscale image."""
    return isinstance(ome.get("multiscales"), Sequence) and bool(ome["multiscales"])


def is_collection(ome: Mapping[str, Any]) -> bool:
    """Tell whether these attributes are those of a bioformats2raw collection of images."""
    return "bioformats2raw.layout" in ome


def refuse_plate(ome: Mapping[str, Any]) -> None:
    """Refuse a plate or a well, saying which images it has.

    Raises
    ------
    SourceUnreadable
        If the group is one.
    """
    for kind, items in (("plate", "wells"), ("well", "images")):
        section = ome.get(kind)
        if isinstance(section, Mapping):
            paths = [str(item.get("path")) for item in section.get(items, ())]
            some = ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")
            raise SourceUnreadable(
                f"This is a {kind}, not an image; it has {some}.",
                remedy="Give the path of one field, for example PLATE.zarr/A/1/0.",
            )


def level_of(ome: Mapping[str, Any], number: int) -> Level:
    """Return one resolution of the first multiscale image; 0 is the finest.

    Raises
    ------
    SourceUnreadable
        If there is no such level, or the metadata cannot be understood.
    """
    try:
        multiscale = ome["multiscales"][0]
        datasets = multiscale["datasets"]
        if not 0 <= number < len(datasets):
            raise SourceUnreadable(
                f"There is no level {number}: the image has {len(datasets)}, counted from 0.",
                remedy="Choose a level that is there (--level).",
            )
        dataset = datasets[number]
        return Level(str(dataset["path"]), _geometry(ome, multiscale, dataset))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceUnreadable(f"The OME-Zarr metadata cannot be understood: {error!r}.") from error


def _geometry(
    ome: Mapping[str, Any], multiscale: Mapping[str, Any], dataset: Mapping[str, Any]
) -> Geometry:
    described = _described_axes(multiscale)
    axes = axes_named([axis["name"] for axis in described])
    if axes is None:
        names = [axis["name"] for axis in described]
        raise SourceUnreadable(
            f"The axes {names} are not those of an image.",
            remedy="Open one of its arrays and name the axes, for example --axes zyx.",
        )
    scale, shift = [1.0] * len(axes), [0.0] * len(axes)
    for transform in (*_steps(dataset), *_steps(multiscale)):
        is_scale = transform["type"] == "scale"
        factor = [float(value) for value in transform["scale"]] if is_scale else [1.0] * len(axes)
        offset = [0.0] * len(axes) if is_scale else [float(at) for at in transform["translation"]]
        scale = [have * by for have, by in zip(scale, factor, strict=True)]
        shift = [have * by + at for have, by, at in zip(shift, factor, offset, strict=True)]
    is_placed = bool(_steps(dataset) or _steps(multiscale))
    return Geometry(
        axes=axes,
        voxel_size=positive(_spatial(axes, scale)) if is_placed else {},
        units=_units(axes, described),
        translation=_spatial(axes, shift) if any(shift) else {},
        channel_names=_channels(ome),
        name=str(multiscale.get("name") or ""),
    )


def _described_axes(multiscale: Mapping[str, Any]) -> list[dict[str, Any]]:
    systems = multiscale.get("coordinateSystems")  # from 0.6 on
    axes = systems[0]["axes"] if systems else multiscale.get("axes", _AXES_BEFORE_0_3)
    return [{"name": axis} if isinstance(axis, str) else dict(axis) for axis in axes]


def _steps(holder: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the scales and translations of a dataset or multiscale, sequences unfolded."""
    steps: list[Mapping[str, Any]] = []
    for transform in holder.get("coordinateTransformations") or ():
        kind = transform.get("type")
        if kind == "sequence":
            steps.extend(_steps({"coordinateTransformations": transform["transformations"]}))
        elif kind in ("scale", "translation"):
            steps.append(transform)
        elif kind != "identity":
            raise SourceUnreadable(f"A coordinate transformation of type {kind!r} is not read.")
    return steps


def _spatial(axes: tuple[AxisName, ...], values: Sequence[float]) -> dict[AxisName, float]:
    return {axis: value for axis, value in zip(axes, values, strict=True) if axis != "c"}


def _units(
    axes: tuple[AxisName, ...], described: Sequence[Mapping[str, Any]]
) -> dict[AxisName, str]:
    units: dict[AxisName, str] = {}
    for axis, description in zip(axes, described, strict=True):
        unit = unit_named(str(description.get("unit") or ""))
        if unit is not None and axis != "c":
            units[axis] = unit
    return units


def _channels(ome: Mapping[str, Any]) -> tuple[str, ...]:
    omero = ome.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, Sequence):
        return ()
    return tuple(
        str(channel.get("label") or number) if isinstance(channel, Mapping) else str(number)
        for number, channel in enumerate(channels)
    )
