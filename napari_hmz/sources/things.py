"""Which reader opens what: by type for objects, by suffix and content for paths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources.arrays import any_image, numpy_image
from napari_hmz.sources.pixels import Image
from napari_hmz.sources.zarr_images import is_zarr_folder, open_zarr, zarr_image

INSIDE = "::"
"""Stands between the path of a file and a path inside it."""

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".lsm", ".svs", ".stk")
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx", ".nx5", ".ims", ".cxi")
ZIP_SUFFIXES = (".zarr.zip", ".ozx")


def image_of(thing: Any, *, axes: Sequence[str] | None, level: int) -> Image:  # noqa: ANN401 # anything
    """Open whatever a user has as an image.

    Raises
    ------
    SourceUnreadable
        If nothing here reads it.
    """
    if isinstance(thing, str | Path):
        return _of_address(str(thing), axes, level)
    if isinstance(thing, Sequence) and not isinstance(thing, bytes):
        return _of_levels(thing, axes, level)
    if isinstance(thing, np.ndarray):
        return numpy_image(thing, axes)
    return _of_lazy_array(thing, axes, level)


def _of_lazy_array(thing: Any, axes: Sequence[str] | None, level: int) -> Image:  # noqa: ANN401 # anything
    import zarr

    if isinstance(thing, zarr.Array | zarr.Group):
        return zarr_image(thing, level=level, axes=axes)
    if type(thing).__module__.startswith("dask."):
        from napari_hmz.sources.dask_arrays import dask_image

        return dask_image(thing, axes)
    if type(thing).__module__.startswith("h5py."):
        from napari_hmz.sources.hdf5 import dataset_image

        return dataset_image(thing, axes)
    return any_image(thing, axes)


def _of_levels(levels: Sequence[Any], axes: Sequence[str] | None, level: int) -> Image:
    if not all(hasattr(each, "shape") or isinstance(each, str | Path) for each in levels):
        raise SourceUnreadable(
            "A list is taken for the levels of an image, but there is something else in it.",
            remedy="Make an array of numbers first: numpy.asarray(...). Levels are arrays or paths,"
            " the finest first.",
        )
    if not 0 <= level < len(levels):
        raise SourceUnreadable(
            f"There is no level {level} in a list of {len(levels)} arrays, counted from 0.",
            remedy="Choose a level that is there (--level).",
        )
    return image_of(levels[level], axes=axes, level=0)


def _of_address(address: str, axes: Sequence[str] | None, level: int) -> Image:
    if "://" in address and not address.startswith("file://"):
        return open_zarr(address, level=level, axes=axes)
    outer, _, inner = address.removeprefix("file://").partition(INSIDE)
    path = Path(outer).expanduser().absolute()
    lowered = path.name.lower()
    if path.is_dir() or lowered.endswith(ZIP_SUFFIXES):
        return _of_folder(path, inner, axes, level)
    if not path.is_file():
        raise SourceUnreadable(f"There is no file or folder {path}.", remedy="Check the path.")
    if lowered.endswith(HDF5_SUFFIXES) or inner:
        from napari_hmz.sources.hdf5 import open_hdf5

        return open_hdf5(path, inner, axes)
    if lowered.endswith(TIFF_SUFFIXES):
        from napari_hmz.sources.tiff import open_tiff

        return open_tiff(path, axes=axes, level=level)
    if lowered.endswith(".npy"):
        return _of_npy(path, axes)
    raise SourceUnreadable(
        f"Files such as {path.name} are not read.",
        remedy="Save it as OME-Zarr or OME-TIFF first, in Fiji or with bioformats2raw, say; zarr,"
        " OME-Zarr, TIFF, HDF5, NeXus and npy are read.",
    )


def _of_folder(path: Path, inner: str, axes: Sequence[str] | None, level: int) -> Image:
    below = path / inner.strip("/")
    if path.is_dir() and not is_zarr_folder(below):
        raise SourceUnreadable(
            f"{below} is a folder, and neither a zarr array nor a zarr group.",
            remedy="Name one image; `hmz batch` takes all images of a folder.",
        )
    return open_zarr(str(below), level=level, axes=axes)


def _of_npy(path: Path, axes: Sequence[str] | None) -> Image:
    from dataclasses import replace

    from napari_hmz.sources import fingerprint
    from napari_hmz.sources.pixels import reading

    with reading(f"{path} cannot be read"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    image = any_image(array, axes)
    geometry = replace(image.geometry, name=path.name)
    return replace(image, geometry=geometry, identity=fingerprint.of_file(path), address=str(path))
