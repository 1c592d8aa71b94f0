"""TIFF, OME-TIFF and ImageJ hyperstacks through tifffile, page by page, never whole."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import AxisName, sizes_of
from napari_hmz.sources import fingerprint
from napari_hmz.sources.dtypes import check_readable
from napari_hmz.sources.geometry import Geometry, axes_for, axes_given, axes_named
from napari_hmz.sources.pixels import Box, Image, Pieces, reading, uniform
from napari_hmz.sources.tiff_chain import check_chain
from napari_hmz.sources.tiff_metadata import imagej_geometry, ome_geometry

if TYPE_CHECKING:
    import tifffile
    import zarr
    from numpy.typing import NDArray

_PAGES = 2
"""tifffile's mode in which one chunk is one page."""
_LARGEST_PAGE_BYTES = 64 * 2**20
"""Pages in strips are decoded whole up to this size, since many small strips are slow."""
_UNNAMED = frozenset("IQR")
"""tifffile's letters for axes that nothing names: most often planes."""


class TiffPixels:
    """One series of a TIFF file, at one resolution."""

    def __init__(self, file: "tifffile.TiffFile", array: "zarr.Array[Any]") -> None:
        self._file = file
        self._array = array
        self._closing = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return tuple(self._array.shape)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        return self._array.dtype

    @property
    def pieces(self) -> Pieces | None:
        """Tiles or pages."""
        return uniform(self.shape, tuple(self._array.chunks))

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        return np.asarray(self._array[box])

    def close(self) -> None:
        """Close the file."""
        with self._closing:
            self._file.close()


def open_tiff(path: Path, *, axes: Sequence[str] | None, level: int) -> Image:
    """Open the first series of a TIFF file.

    Raises
    ------
    SourceUnreadable
        If it is no TIFF file, is cut short, or has no such level.
    """
    import tifffile

    with reading(f"{path} cannot be read as TIFF"):
        check_chain(path)
        file = tifffile.TiffFile(path)
    try:
        with reading(f"{path} cannot be read as TIFF"):
            return _image(file, path, axes, level)
    except BaseException:  # whatever it is: the file is closed first
        file.close()
        raise


def _image(file: "tifffile.TiffFile", path: Path, axes: Sequence[str] | None, level: int) -> Image:
    import zarr

    series = _level(file, level)
    _check_whole(series, path)
    check_readable(np.dtype(series.dtype))
    page = series.keyframe
    is_paged = not page.is_tiled and page.nbytes <= _LARGEST_PAGE_BYTES
    store = series.aszarr(chunkmode=_PAGES) if is_paged else series.aszarr()
    array = zarr.open_array(store, mode="r")
    geometry = _geometry(file, level, axes, path.name)
    return Image(TiffPixels(file, array), geometry, _identity(file, path, level), str(path))


def _level(file: "tifffile.TiffFile", level: int) -> "tifffile.TiffPageSeries":
    if not file.series:
        raise SourceUnreadable("It holds no image.")
    levels = file.series[0].levels
    if not 0 <= level < len(levels):
        raise SourceUnreadable(
            f"There is no level {level}: the image has {len(levels)}, counted from 0.",
            remedy="Choose a level that is there (--level).",
        )
    return levels[level]


def _check_whole(series: "tifffile.TiffPageSeries", path: Path) -> None:
    """Refuse a file that ends before its pixels do: tifffile would give zeros for them."""
    sizes: dict[Path, int] = {}
    if series.dataoffset is not None and series.keyframe.is_contiguous and len(series.pages) == 1:
        _check_end(path, sizes, series.dataoffset + series.nbytes)
        return
    for page in series.pages:
        if page is None:
            raise SourceUnreadable("It lacks a page: some of its files are missing.")
        ends = (
            offset + count
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        )
        _check_end(Path(page.parent.filehandle.path), sizes, max(ends, default=0))


def _check_end(path: Path, sizes: dict[Path, int], end: int) -> None:
    size = sizes.setdefault(path, path.stat().st_size)
    if end > size:
        raise SourceUnreadable(
            f"It is cut short: {path.name} has {size} bytes, but its pixels end at {end}."
        )


def _identity(file: "tifffile.TiffFile", path: Path, level: int) -> str:
    """Return what tells the pixels from others: OME-TIFF may spread them over several files."""
    files = {path.resolve()}
    for page in file.series[0].levels[level].pages:
        files.add(Path(page.parent.filehandle.path).resolve())
    return ":".join(["tiff", str(level), *sorted(fingerprint.of_file(each) for each in files)])


def _geometry(
    file: "tifffile.TiffFile", level: int, given: Sequence[str] | None, name: str
) -> Geometry:
    series = _level(file, level)
    shape = tuple(series.shape)
    is_bytes = np.dtype(series.dtype).itemsize == 1
    named = _named_axes(series)
    axes = named or axes_for(shape, given=given, named=None, is_bytes=is_bytes)
    found = Geometry(axes, name=name)
    if file.is_ome and file.ome_metadata:
        found = ome_geometry(file.ome_metadata, axes, name)
    elif file.is_imagej:
        found = imagej_geometry(file.imagej_metadata or {}, series.keyframe.tags, axes, name)
    finest = sizes_of(axes, file.series[0].levels[0].shape)
    zoom = {axis: finest[axis] / extent for axis, extent in sizes_of(axes, shape).items()}
    sizes = {axis: size * zoom[axis] for axis, size in found.voxel_size.items()}
    found = replace(found, voxel_size=sizes)
    return found if given is None else found.renamed(axes_given(given, len(shape)))


def _named_axes(series: "tifffile.TiffPageSeries") -> tuple[AxisName, ...] | None:
    """Return the series' axes; a single one that nothing names is taken for planes."""
    letters = series.axes.upper()
    unnamed = [letter for letter in letters if letter in _UNNAMED]
    if len(unnamed) == 1 and "Z" not in letters:
        letters = letters.replace(unnamed[0], "Z")
    if "C" in letters and "S" in letters:
        raise SourceUnreadable(
            f"It has channels and colour samples at once: {series.axes}, {tuple(series.shape)}.",
            remedy="Split the colours into channels first.",
        )
    return axes_named(list(letters))
