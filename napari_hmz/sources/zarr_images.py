"""From a path, URL or open zarr node to one array of it, with what OME-Zarr says of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import AxisName
from napari_hmz.sources.geometry import Geometry, axes_for, axes_given, axes_named
from napari_hmz.sources.ome_zarr import (
    Level,
    is_collection,
    is_image,
    level_of,
    ome_attributes,
    refuse_plate,
)
from napari_hmz.sources.pixels import Image, reading
from napari_hmz.sources.zarr_arrays import ZarrPixels
from napari_hmz.sources.zarr_store import address_of, identity_of

if TYPE_CHECKING:
    import zarr

    Node = zarr.Array[Any] | zarr.Group

_LISTED = 8


def is_zarr_folder(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def open_zarr(address: str, *, level: int, axes: Sequence[str] | None) -> Image:
    """Open the zarr array or OME-Zarr image at a path or URL.

    Raises
    ------
    SourceUnreadable
        If there is none, or more than one to choose from.
    """
    import zarr
    from zarr.storage import ZipStore

    with reading(f"{address} cannot be opened as zarr"):
        is_zip = address.lower().endswith((".zip", ".ozx"))
        node = zarr.open(ZipStore(address, mode="r") if is_zip else address, mode="r")
    image = zarr_image(node, level=level, axes=axes)
    name = address.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return replace(image, geometry=replace(image.geometry, name=name), address=address)


def zarr_image(node: "Node", *, level: int, axes: Sequence[str] | None) -> Image:
    """Return the image that an open zarr array or group holds."""
    array, geometry = _array_and_geometry(node, level, axes)
    with reading("The zarr array cannot be read"):
        return Image(ZarrPixels(array), geometry, identity_of(array), address_of(node))


def _array_and_geometry(
    node: "Node", level: int, axes: Sequence[str] | None
) -> "tuple[zarr.Array[Any], Geometry]":
    import zarr

    if isinstance(node, zarr.Array):
        is_bytes = node.dtype.itemsize == 1
        found = axes_for(node.shape, given=axes, named=_named_axes(node), is_bytes=is_bytes)
        return node, Geometry(found)
    ome = ome_attributes(node.attrs.asdict())
    if is_image(ome):
        chosen = level_of(ome, level)
        array, geometry = _array_at(node, chosen), chosen.geometry
        return array, geometry.renamed(axes_given(axes, array.ndim)) if axes else geometry
    refuse_plate(ome)
    inner = _first_series(node) if is_collection(ome) else _only_array(node)
    return _array_and_geometry(inner, level, axes)


def _array_at(group: "zarr.Group", level: Level) -> "zarr.Array[Any]":
    import zarr

    with reading(f"Level {level.path!r} cannot be opened"):
        node = group[level.path]
    if not isinstance(node, zarr.Array):
        raise SourceUnreadable(f"Level {level.path!r} is not an array.")
    if node.ndim != len(level.geometry.axes):
        raise SourceUnreadable(
            f"Level {level.path!r} has {node.ndim} axes, but its metadata names "
            f"{len(level.geometry.axes)}."
        )
    return node


def _first_series(collection: "zarr.Group") -> "Node":
    """Return series 0 of a bioformats2raw collection; others are opened by their own path."""
    listed = "0"
    with reading("The collection of images cannot be read"):
        if "OME" in collection:
            listed = ome_attributes(collection["OME"].attrs.asdict()).get("series", [listed])[0]
        return collection[listed]


def _only_array(group: "zarr.Group") -> "zarr.Array[Any]":
    with reading("The zarr group cannot be listed"):
        arrays = dict(group.arrays())
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    found = ", ".join(sorted(arrays)[:_LISTED]) or "no arrays"
    raise SourceUnreadable(
        f"This zarr group is not an OME-Zarr image; it holds {found}.",
        remedy="Give the path of one array or image in it, for example DATA.zarr/0.",
    )


def _named_axes(array: "zarr.Array[Any]") -> tuple[AxisName, ...] | None:
    """Return the axes that the array names itself, as zarr v3 does, or xarray in v2."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.asdict().get("_ARRAY_DIMENSIONS")
    if isinstance(names, Sequence) and all(isinstance(name, str) for name in names):
        return axes_named([str(name) for name in names])
    return None
