"""HDF5 and NeXus through h5py: one dataset, by its path or as the file's default plot."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import AxisName
from napari_hmz.sources import fingerprint
from napari_hmz.sources.dtypes import check_readable
from napari_hmz.sources.geometry import (
    Geometry,
    axes_for,
    axes_named,
    positive,
    unit_named,
)
from napari_hmz.sources.pixels import Box, Image, Pieces, reading, uniform

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

_LISTED = 8
_LEAST_DIMENSIONS = 2


class Hdf5Pixels:
    """A dataset; h5py lets one thread in at a time."""

    def __init__(self, dataset: "h5py.Dataset", file: "h5py.File | None") -> None:
        self._dataset = dataset
        self._file = file

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return tuple(self._dataset.shape)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        dtype: np.dtype[Any] = np.dtype(self._dataset.dtype)
        return dtype

    @property
    def pieces(self) -> Pieces | None:
        """The dataset's chunks; none if it is stored in one stretch."""
        chunks = self._dataset.chunks
        return None if chunks is None else uniform(self.shape, tuple(chunks))

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        return np.asarray(self._dataset[box])

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._file is not None:
            self._file.close()


def open_hdf5(path: Path, inner: str, axes: Sequence[str] | None) -> Image:
    """Open a dataset of an HDF5 or NeXus file.

    Parameters
    ----------
    inner
        Its path in the file; empty: the default plot of a NeXus file, or the only dataset that
        can be an image.

    Raises
    ------
    SourceUnreadable
        If the file is damaged, or no single dataset can be meant.
    """
    import h5py

    with reading(f"{path} cannot be read as HDF5"):
        file = h5py.File(path, "r")
    try:
        with reading(f"{path} cannot be read as HDF5"):
            dataset = _dataset(file, inner)
            geometry = _geometry(dataset, axes, path.name)
            identity = f"{fingerprint.of_file(path)}:{dataset.name}"
            pixels = Hdf5Pixels(dataset, file)
            return Image(pixels, geometry, identity, f"{path}::{dataset.name}")
    except BaseException:  # whatever it is: the file is closed first
        file.close()
        raise


def dataset_image(dataset: "h5py.Dataset", axes: Sequence[str] | None) -> Image:
    """Return an open dataset as an image; whoever opened its file closes it.

    Raises
    ------
    SourceUnreadable
        If it is a file or group instead.
    """
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise SourceUnreadable("An HDF5 group is no image.", remedy="Give one of its datasets.")
    path = Path(str(dataset.file.filename)).absolute()
    is_file = path.is_file()
    geometry = _geometry(dataset, axes, path.name)
    identity = f"{fingerprint.of_file(path)}:{dataset.name}" if is_file else fingerprint.unique()
    address = f"{path}::{dataset.name}" if is_file else None
    return Image(Hdf5Pixels(dataset, None), geometry, identity, address)


def _dataset(file: "h5py.File", inner: str) -> "h5py.Dataset":
    import h5py

    if inner and inner not in file:
        raise SourceUnreadable(f"It has no {inner}; it has {_listed(_images(file))}.")
    node = file[inner] if inner else file
    if isinstance(node, h5py.Group):
        node = _default_signal(node) or _only_image(node)
    check_readable(np.dtype(node.dtype))
    if node.external:  # raw bytes of any other file of this machine, to be sent as pixels
        raise SourceUnreadable(
            "The voxels of the dataset are the bare bytes of another file.",
            remedy="Copy it into one file: `h5repack` does.",
        )
    return node


def _default_signal(group: "h5py.Group") -> "h5py.Dataset | None":
    """Follow NeXus' `default` down to an NXdata, and return its signal."""
    import h5py

    seen = group
    while isinstance(seen, h5py.Group):
        signal = _text(seen.attrs.get("signal"))
        if signal:
            found = seen.get(signal)
            return found if isinstance(found, h5py.Dataset) else None
        default = _text(seen.attrs.get("default"))
        if not default or default == ".":
            return None
        seen = seen.get(default)
    return None


def _only_image(group: "h5py.Group") -> "h5py.Dataset":
    images = _images(group)
    if len(images) != 1:
        raise SourceUnreadable(
            f"It has {len(images)} datasets that can be an image: {_listed(images)}.",
            remedy="Name one, for example FILE.h5::/entry/data.",
        )
    return next(iter(images.values()))


def _images(group: "h5py.Group") -> "dict[str, h5py.Dataset]":
    import h5py

    found: dict[str, h5py.Dataset] = {}

    def look(_: str, node: object) -> None:
        if not isinstance(node, h5py.Dataset) or len(node.shape or ()) < _LEAST_DIMENSIONS:
            return
        if np.dtype(node.dtype).kind in "buif":
            found[str(node.name)] = node

    group.visititems(look)
    return found


def _listed(images: Mapping[str, object]) -> str:
    names = sorted(images)
    return (", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")) or "none"


def _geometry(dataset: "h5py.Dataset", given: Sequence[str] | None, name: str) -> Geometry:
    signal_axes = _signal_axes(dataset)
    named = axes_named(signal_axes or _dimension_labels(dataset))
    shape = tuple(dataset.shape)
    axes = axes_for(shape, given=given, named=named, is_bytes=dataset.dtype.itemsize == 1)
    voxel_size, units = _spacing(dataset, axes, signal_axes)
    return Geometry(axes, voxel_size, units, name=name)


def _signal_axes(dataset: "h5py.Dataset") -> list[str]:
    """Return the names of the coordinates that NXdata gives for each axis; `.` for none."""
    names = dataset.parent.attrs.get("axes")
    if names is None:
        return []
    texts = [_text(name) for name in np.atleast_1d(names)]
    return texts if len(texts) == len(dataset.shape) else []


def _dimension_labels(dataset: "h5py.Dataset") -> list[str]:
    return [str(dimension.label) for dimension in dataset.dims]


def _spacing(
    dataset: "h5py.Dataset", axes: tuple[AxisName, ...], coordinates: Sequence[str]
) -> tuple[dict[AxisName, float], dict[AxisName, str]]:
    sizes: dict[AxisName, float] = {}
    units: dict[AxisName, str] = {}
    spatial = [axis for axis in axes if axis in ("z", "y", "x")]
    element_um = dataset.attrs.get("element_size_um")  # as Imaris tools and Fiji write it
    if element_um is not None and len(np.atleast_1d(element_um)) == len(spatial):
        sizes = dict(zip(spatial, (float(size) for size in np.atleast_1d(element_um)), strict=True))
        units = dict.fromkeys(spatial, "micrometer")
    for axis, coordinate in zip(axes, coordinates, strict=False):
        steps = _steps(dataset.parent.get(posixpath.basename(coordinate)))
        if steps is not None and axis != "c":
            sizes[axis], unit = steps
            if unit is not None:
                units[axis] = unit
    return positive(sizes), {axis: unit for axis, unit in units.items() if axis in positive(sizes)}


def _steps(coordinate: object) -> tuple[float, str | None] | None:
    """Return the distance between a coordinate's values and its unit; none if it varies."""
    import h5py

    if not isinstance(coordinate, h5py.Dataset) or coordinate.ndim != 1 or len(coordinate) < 2:  # noqa: PLR2004 # a distance needs two
        return None
    steps = np.diff(np.asarray(coordinate[:], dtype=np.float64))
    if not np.allclose(steps, steps[0], rtol=1e-3, atol=0):
        return None
    return abs(float(steps[0])), unit_named(_text(coordinate.attrs.get("units")))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray) and value.size == 1:
        return _text(value.flat[0])
    return "" if value is None else str(value)
