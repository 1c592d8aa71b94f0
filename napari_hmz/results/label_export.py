"""Labels that lie anywhere, as a napari layer does, written as OME-Zarr.

`write_labels` makes a new store, `add_labels` puts them beside the image that they belong to. Both
read and write chunk by chunk, under a name of their own until all is there: what stops half-way
leaves nothing behind.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import zarr
from zarr.storage import LocalStore

from napari_hmz.errors import DiskFull, OutputExists, OutputUnwritable
from napari_hmz.results.coarser import CoarserLevels, fill_level
from napari_hmz.results.disk import writing
from napari_hmz.results.image_store import ImageStore
from napari_hmz.results.levels import regions_of
from napari_hmz.results.metadata import image_attributes, label_attributes, labels_attributes
from napari_hmz.results.output import Pyramid, stored_axes
from napari_hmz.results.writer import PROVENANCE_KEY, told
from napari_hmz.schema import AxisName, OutputArray, Region, Sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK_PX: Sizes = {"t": 1, "c": 1, "z": 64, "y": 256, "x": 256}
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class LabelImage:
    """A label image to be written.

    Parameters
    ----------
    array
        Name, axes, extents, data type, classes, and where it lies; its chunks are not used.
    read
        Returns a region that names every axis.
    provenance
        Of the run that made it; None if nothing is known.
    """

    array: OutputArray
    read: "Callable[[Region], NDArray[Any]]"
    provenance: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """How much is written: chunks of the finest level, then the coarser levels."""

    parts: int
    parts_total: int


def group_name(text: str) -> str:
    """Return a name that a group may have, near to what a person has called a layer."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-") or "labels"


def write_labels(path: Path, labels: LabelImage) -> Iterator[Written]:
    """Write labels as a new OME-Zarr 0.5 store with all its levels; yield how far it is.

    Raises
    ------
    OutputExists
        If something lies at `path`.
    DiskFull, OutputUnwritable
        If it cannot be written.
    SourceUnreadable
        If the labels cannot be read.
    """
    _refuse(path, path.name)
    with _beside(path) as folder:
        root = zarr.open_group(LocalStore(folder), mode="w", zarr_format=3)
        array = _chunked(labels.array, labels.array.shape)
        place = f"labels/{array.name}"
        pyramid = Pyramid(root.require_group(place), place, array, stored_axes(array, ()))
        total = _parts(array) + 1
        yield from _fill(pyramid, labels, {}, total)
        CoarserLevels(pyramid.levels).finish()
        described = pyramid.described(levels=len(pyramid.factors))
        ome = label_attributes(described, array.classes)
        _tell(pyramid.group, {"ome": ome}, labels)
        root["labels"].update_attributes({"ome": labels_attributes([array.name])})
        shown = pyramid.described(levels=len(pyramid.factors), prefix=f"{place}/")
        own = _own(labels) | {"outputs": {array.name: place}}
        root.update_attributes({"ome": image_attributes(shown, None), PROVENANCE_KEY: own})
        yield Written(total, total)
        _refuse(path, path.name)
        folder.rename(path)


def add_labels(
    path: Path,
    labels: LabelImage,
    start: Mapping[AxisName, int],
    *,
    image_shape: Sizes | None = None,
) -> Iterator[Written]:
    """Write labels into the OME-Zarr of their image, with as many levels; yield how far it is.

    Parameters
    ----------
    path
        Of the image's group; OME-Zarr 0.4 or 0.5.
    start
        The voxel of the image at which the labels begin; where they end, the rest is background.
    image_shape
        Of the image as the caller knows it, without channels: it must be that image.

    Raises
    ------
    OutputExists
        If the image has labels of this name.
    AxesMismatch, RegionInvalid
        If the labels do not lie in the image.
    SourceUnreadable
        If there is no such image, or it has levels that labels cannot follow.
    DiskFull, OutputUnwritable
        If it cannot be written.
    """
    store = ImageStore.open(path)
    store.check_is(image_shape)
    store.check_holds(labels.array, start)
    target = path / "labels" / labels.array.name
    _refuse(target, f"Labels named {labels.array.name!r}")
    with _beside(path / labels.array.name) as folder:
        group = zarr.open_group(LocalStore(folder), mode="w", zarr_format=store.zarr_format)
        whole = {axis: store.shapes[0][axis] for axis in labels.array.axes}
        array = _chunked(labels.array, whole)
        pyramid = Pyramid(group, f"labels/{array.name}", array, store.axes)
        total = _parts(labels.array) + len(store.steps)
        yield from _fill(pyramid, labels, start, total)
        fine = pyramid.finest()
        for number, step in enumerate(store.steps, start=1):
            level = pyramid.coarsening(fine, number, store.shapes[number], step)
            fill_level(level, level.places())
            fine = level.coarse
            yield Written(total - len(store.steps) + number, total)
        ome = label_attributes(store.described(array.name), array.classes)
        _tell(group, store.as_stored(ome), labels)
        store.take_in(folder, array.name)


def _fill(
    pyramid: Pyramid, labels: LabelImage, start: Mapping[AxisName, int], total: int
) -> Iterator[Written]:
    """Copy the labels into the finest level, by its chunks; empty ones are not stored."""
    finest, array = pyramid.finest(), labels.array
    number = 0
    for number, region in enumerate(regions_of(array.shape, _chunks(array)), start=1):
        values = labels.read(region)
        if values.any():
            moved: Region = {
                axis: (low + start.get(axis, 0), high + start.get(axis, 0))
                for axis, (low, high) in region.items()
            }
            pyramid.write(moved, values.astype(array.dtype, copy=False), finest)
        yield Written(number, total)


def _chunks(array: OutputArray) -> Sizes:
    return {axis: min(extent, _CHUNK_PX[axis]) for axis, extent in array.shape.items()}


def _chunked(array: OutputArray, shape: Sizes) -> OutputArray:
    whole = array.model_copy(update={"shape": shape})
    return whole.model_copy(update={"chunks": _chunks(whole)})


def _parts(array: OutputArray) -> int:
    return prod(-(-array.shape[axis] // chunk) for axis, chunk in _chunks(array).items())


def _own(labels: LabelImage) -> dict[str, Any]:
    provenance = None if labels.provenance is None else dict(labels.provenance)
    return {"format": _FORMAT, "complete": True, "provenance": provenance}


def _tell(group: "zarr.Group", ome: Mapping[str, Any], labels: LabelImage) -> None:
    group.update_attributes({**ome, PROVENANCE_KEY: _own(labels) | told(labels.array)})


def _refuse(path: Path, what: str) -> None:
    if path.exists():
        raise OutputExists(f"{what} exists already.", remedy="Choose another name.")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` that is gone afterwards, unless it was renamed."""
    folder = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        with writing(path):
            yield folder
    except DiskFull as error:
        remedy = "Free some space, or choose another disk."
        raise DiskFull(error.detail, remedy=remedy) from error
    except OSError as error:
        raise OutputUnwritable(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
