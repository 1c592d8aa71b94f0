"""OME-Zarr 0.5 attributes of images and labels, built with yaozarrs' models."""

import colorsys
import re
from collections.abc import Mapping, Sequence
from typing import Any

from yaozarrs import v05

from napari_hmz.schema import AXIS_ORDER, AxisName, ChannelStatistics, ClassSpec, Sizes

VERSION = "0.5"
_SPACE = "space"
_TYPES: dict[AxisName, str] = {"t": "time", "c": "channel", "z": _SPACE, "y": _SPACE, "x": _SPACE}
_PREFIXES = (
    "", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci",
    "hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta",
)  # fmt: skip # ascending
_UNITS: dict[str, frozenset[str]] = {
    "space": frozenset(f"{prefix}meter" for prefix in _PREFIXES)
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard"},
    "time": frozenset(f"{prefix}second" for prefix in _PREFIXES) | {"day", "hour", "minute"},
}
_HEX = re.compile("#[0-9a-fA-F]{6}")
_GOLDEN = 0.618033988749895
"""Steps of hue: neighbouring values get distant colours."""
_LOWEST_LEVEL, _HIGHEST_LEVEL = 1.0, 99.8
"""Percentiles between which an image is shown at first."""


def ordered(axes: Sequence[AxisName]) -> tuple[AxisName, ...]:
    """Return `axes` in the order that OME-Zarr asks for."""
    return tuple(axis for axis in AXIS_ORDER if axis in axes)


def multiscale(
    name: str,
    axes: Sequence[AxisName],
    factors: Sequence[Sizes],
    *,
    voxel_size: Mapping[AxisName, float],
    units: Mapping[AxisName, str],
    translation: Mapping[AxisName, float],
    is_labels: bool,
    prefix: str = "",
) -> dict[str, Any]:
    """Return the description of one image in several resolutions.

    Parameters
    ----------
    factors
        By level: how much coarser than the finest; a coarse voxel lies at the middle of the
        fine ones that it stands for.
    prefix
        Path from the described group to that of the arrays, with a slash at its end.
    """
    datasets = [
        v05.Dataset(
            path=f"{prefix}{number}",
            coordinateTransformations=_placed(axes, factor, voxel_size, translation),
        )
        for number, factor in enumerate(factors)
    ]
    described = v05.Multiscale(
        name=name,
        axes=[_axis(axis, units.get(axis)) for axis in axes],
        datasets=datasets,
        type="nearest" if is_labels else "mean",
    )
    return _plain(described)


def image_attributes(
    described: Mapping[str, Any], omero: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the `ome` attributes of an image group."""
    return {"version": VERSION, "multiscales": [described]} | ({"omero": omero} if omero else {})


def label_attributes(
    described: Mapping[str, Any], classes: Sequence[ClassSpec], source: str = "../../"
) -> dict[str, Any]:
    """Return the `ome` attributes of a label image: classes with names and colours, if any."""
    label: dict[str, Any] = {"source": {"image": source}}
    values = {one.value: one for one in classes}
    # written here: yaozarrs would give label values as 1.0, and the text asks for integers
    if any(_HEX.fullmatch(one.color) for one in classes):
        label["colors"] = [
            {"label-value": value, "rgba": class_rgba(one)} for value, one in values.items()
        ]
    if classes:
        label["properties"] = [
            {"label-value": value, "name": one.name} for value, one in values.items()
        ]
    return {"version": VERSION, "multiscales": [described], "image-label": label}


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Return the `ome` attributes of the group that holds the label images."""
    return {"version": VERSION, "labels": list(names)}


def omero_section(
    names: Sequence[str], statistics: Sequence[ChannelStatistics]
) -> dict[str, Any] | None:
    """Return how a viewer shows the channels at first; none where nothing is known of them."""
    if not statistics or len(statistics) != len(names):
        return None
    channels = [
        {
            "label": name,
            "color": "FFFFFF",
            "active": True,
            "window": _window(channel),
        }
        for name, channel in zip(names, statistics, strict=True)
    ]
    return _plain(v05.Omero(channels=channels))


def _window(channel: ChannelStatistics) -> dict[str, float]:
    at = dict(zip(channel.levels, channel.quantiles, strict=True))
    return {
        "min": channel.minimum,
        "max": channel.maximum,
        "start": at.get(_LOWEST_LEVEL, channel.minimum),
        "end": at.get(_HIGHEST_LEVEL, channel.maximum),
    }


def _axis(axis: AxisName, unit: str | None) -> dict[str, str]:
    kind = _TYPES[axis]
    described = {"name": axis, "type": kind}
    return described | {"unit": unit} if unit in _UNITS.get(kind, ()) and unit else described


def _placed(
    axes: Sequence[AxisName],
    factor: Mapping[AxisName, int],
    voxel_size: Mapping[AxisName, float],
    translation: Mapping[AxisName, float],
) -> list[dict[str, Any]]:
    scale = [voxel_size.get(axis, 1.0) * factor[axis] for axis in axes]
    shift = [
        translation.get(axis, 0.0) + voxel_size.get(axis, 1.0) * (factor[axis] - 1) / 2
        for axis in axes
    ]
    return [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": shift},
    ]


def class_rgba(one: ClassSpec) -> list[int]:
    """Return the colour of a class; one that follows from its value if it names none."""
    if _HEX.fullmatch(one.color):
        return [*bytes.fromhex(one.color.removeprefix("#")), 255]
    channels = colorsys.hsv_to_rgb(one.value * _GOLDEN % 1.0, 0.7, 1.0)
    return [*(round(255 * channel) for channel in channels), 255]


def _plain(model: Any) -> dict[str, Any]:  # noqa: ANN401 # a model of yaozarrs
    plain: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return plain
