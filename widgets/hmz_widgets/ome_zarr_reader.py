"""What napari opens of anybody's OME-Zarr, local or by address: in its place, with its levels.

Nothing is read but metadata; the arrays stay where they lie.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources.ome_zarr import (
    Level,
    is_collection,
    is_image,
    level_of,
    ome_attributes,
    refuse_plate,
)
from napari_hmz.sources.zarr_places import is_address, zarr_places

LayerData = tuple[Any, dict[str, Any], str]
_DOCUMENTS = ("zarr.json", ".zattrs")


def is_ome_zarr(place: str) -> bool:
    """Tell whether a local store is an OME-Zarr; of an address, whether it looks like a zarr."""
    if is_address(place):
        return bool(zarr_places([place]))
    ome = ome_attributes(_attributes(Path(place)))
    return is_image(ome) or is_collection(ome)


def read_image(place: str | list[str]) -> list[LayerData]:
    """Return the layers of an OME-Zarr: labels if it says so, else an image for each channel.

    Of a collection, the first image is taken.

    Raises
    ------
    SourceUnreadable
        If it is none, or cannot be reached.
    """
    import dask.array as da
    import zarr

    where = place if isinstance(place, str) else place[0]
    try:
        group = zarr.open_group(where, mode="r")
        if is_collection(ome_attributes(group.attrs.asdict())):
            group = zarr.open_group(group.store, path=f"{group.path}/0".lstrip("/"), mode="r")
        ome = ome_attributes(group.attrs.asdict())
        refuse_plate(ome)
        if not is_image(ome):
            raise SourceUnreadable(f"{where} is a zarr, but no OME-Zarr image.")
        numbers = range(len(ome["multiscales"][0]["datasets"]))
        levels = [da.from_zarr(group[level_of(ome, number).path]) for number in numbers]
    except (KeyError, TypeError, ValueError, OSError, ImportError) as error:
        raise SourceUnreadable(f"{where} cannot be opened: {error}.") from error
    return [_layer(levels, level_of(ome, 0), ome, _stem(where))]


def _layer(levels: list[Any], finest: Level, ome: Mapping[str, Any], stem: str) -> LayerData:
    place = finest.geometry
    is_labels = "image-label" in ome
    split = "c" in place.axes and not is_labels
    axes = place.axes if not split else place.without("c").axes
    arguments: dict[str, Any] = {
        "name": stem,
        "scale": [place.voxel_size.get(axis, 1.0) for axis in axes],
        "translate": [place.translation.get(axis, 0.0) for axis in axes],
        "units": [place.units.get(axis, "pixel") for axis in axes],
        "axis_labels": list(axes),
        "multiscale": len(levels) > 1,
    }
    if split:
        at = place.axes.index("c")
        arguments["channel_axis"] = at
        arguments["name"] = _channel_names(stem, place.channel_names, levels[0].shape[at])
    return (levels if len(levels) > 1 else levels[0], arguments, "labels" if is_labels else "image")


def _channel_names(stem: str, names: tuple[str, ...], count: int) -> list[str]:
    told = names if len(names) == count else tuple(map(str, range(count)))
    return [f"{stem} {name}" for name in told] if count > 1 else [stem]


def _stem(where: str) -> str:
    name = where.rstrip("/").rpartition("/")[2]
    return name.removesuffix(".zarr").removesuffix(".ome")


def _attributes(folder: Path) -> Mapping[str, Any]:
    """Return the attributes of a local group; none if there are none that can be read."""
    for name in _DOCUMENTS:
        try:
            document = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        found = document.get("attributes", document) if isinstance(document, Mapping) else None
        return found if isinstance(found, Mapping) else {}
    return {}
