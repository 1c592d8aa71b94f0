"""Voxel size, position and channel names from OME-XML and from ImageJ's own words."""

import math
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from napari_hmz.schema import AxisName
from napari_hmz.sources.geometry import Geometry, positive, unit_named

_ATTRIBUTES: dict[AxisName, tuple[str, str]] = {
    "z": ("PhysicalSizeZ", "µm"),
    "y": ("PhysicalSizeY", "µm"),
    "x": ("PhysicalSizeX", "µm"),
    "t": ("TimeIncrement", "s"),
}
"""Attribute of `Pixels`, and the unit it has if it names none."""
_LARGEST_XML_BYTES = 64 * 2**20


def ome_geometry(text: str, axes: tuple[AxisName, ...], name: str) -> Geometry:
    """Return what OME-XML says of its first image; only the axes if it cannot be parsed."""
    pixels = _first_pixels(text)
    if pixels is None:
        return Geometry(axes, name=name)
    sizes: dict[AxisName, float] = {}
    units: dict[AxisName, str] = {}
    for axis, (attribute, default_unit) in _ATTRIBUTES.items():
        size = _number(pixels.get(attribute))
        unit = unit_named(pixels.get(f"{attribute}Unit") or default_unit)
        if size is not None and axis in axes:
            sizes[axis] = size
            units |= {axis: unit} if unit is not None else {}
    names = [
        channel.get("Name") or str(number)
        for number, channel in enumerate(_children(pixels, "Channel"))
    ]
    is_named = "c" in axes and any(channel.get("Name") for channel in _children(pixels, "Channel"))
    return Geometry(
        axes=axes,
        voxel_size=positive(sizes),
        units=units,
        channel_names=tuple(names) if is_named else (),
        name=name,
    )


def _first_pixels(text: str) -> Xml.Element | None:
    if len(text) > _LARGEST_XML_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None  # OME-XML has neither, and entities can blow up
    try:
        root = Xml.fromstring(text)  # noqa: S314 # entities are refused above
    except Xml.ParseError:
        return None
    for image in _children(root, "Image"):
        for pixels in _children(image, "Pixels"):
            return pixels
    return None


def _children(element: Xml.Element, name: str) -> list[Xml.Element]:
    """Return the children of this name, whatever version of the schema they are from."""
    return [child for child in element if child.tag.rsplit("}", 1)[-1] == name]


def imagej_geometry(
    metadata: Mapping[str, Any],
    tags: Any,  # noqa: ANN401 # tifffile has no types
    axes: tuple[AxisName, ...],
    name: str,
) -> Geometry:
    """Return what ImageJ says: spacing of planes, pixels per unit, frame interval."""
    unit = unit_named(str(metadata.get("unit") or ""))
    sizes: dict[AxisName, float] = {}
    if unit is not None:
        across: dict[AxisName, float | None] = {
            "z": _number(metadata.get("spacing")),
            "y": _per_pixel(tags, "YResolution"),
            "x": _per_pixel(tags, "XResolution"),
        }
        sizes = {axis: size for axis, size in across.items() if size is not None}
    units: dict[AxisName, str] = {axis: unit for axis in sizes if unit is not None}
    interval = _number(metadata.get("finterval"))
    if interval:
        sizes["t"] = interval
        units["t"] = unit_named(str(metadata.get("tunit") or "s")) or "second"
    return Geometry(
        axes=axes,
        voxel_size={axis: size for axis, size in positive(sizes).items() if axis in axes},
        units={axis: of for axis, of in units.items() if axis in axes},
        name=name,
    )


def _per_pixel(tags: Any, name: str) -> float | None:  # noqa: ANN401 # tifffile has no types
    tag = tags.get(name)
    if tag is None:
        return None
    count, span = tag.value
    return span / count if count else None


def _number(value: Any) -> float | None:  # noqa: ANN401 # any text or number of a file
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
