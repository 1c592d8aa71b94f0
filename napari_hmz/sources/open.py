"""`open_source`: the one way from whatever a user has to a source.

```
thing -> Image (pixels, geometry, identity)     zarr_images, arrays, tiff, hdf5
      -> selection of channel and time          selection
      -> VerbatimSource if its chunks may travel, else RechunkedSource
```
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from napari_hmz.errors import AxesMismatch, SourceUnreadable, VolumeEmpty
from napari_hmz.schema import ArrayDocument, AxisName, VolumeRequest, sizes_of
from napari_hmz.schema.codecs import chunk_shape
from napari_hmz.sources import fingerprint
from napari_hmz.sources.chunk_shape import slab, stored_extents, suitable_chunks
from napari_hmz.sources.dtypes import widened
from napari_hmz.sources.geometry import Geometry, positive
from napari_hmz.sources.piece_cache import PIECES_BYTES, CachedPixels
from napari_hmz.sources.pixels import Image, Pixels
from napari_hmz.sources.protocol import Origin, Source
from napari_hmz.sources.rechunk import RechunkedSource, v3_document
from napari_hmz.sources.selection import SelectedPixels, Selection, select
from napari_hmz.sources.stacked import open_stacked
from napari_hmz.sources.things import image_of
from napari_hmz.sources.verbatim import VerbatimSource
from napari_hmz.sources.zarr_arrays import ZarrPixels, stored_chunks, verbatim_document

_SLABS = 3
"""As many are held: one is being cut while the next is read, and some thread is always late."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the caller wants of the image, beside the thing itself."""

    axes: Sequence[str] | None
    level: int
    channel: int | str | None
    time: int | None
    voxel_size: Mapping[AxisName, float] | None
    units: Mapping[AxisName, str] | None
    name: str
    dtypes: tuple[str, ...] | None
    chunks: Mapping[AxisName, int] | None
    pieces_bytes: int


def open_source(
    thing: Any,  # noqa: ANN401 # anything that a user may have
    *,
    axes: Sequence[str] | None = None,
    level: int = 0,
    channel: int | str | None = None,
    time: int | None = None,
    voxel_size: Mapping[AxisName, float] | None = None,
    units: Mapping[AxisName, str] | None = None,
    name: str = "",
    dtypes: tuple[str, ...] | None = None,
    chunks: Mapping[AxisName, int] | None = None,
    pieces_bytes: int = PIECES_BYTES,
) -> Source:
    """Open an image as a source.

    Parameters
    ----------
    thing
        A path or URL (zarr, OME-Zarr, TIFF, OME-TIFF, HDF5, NeXus; `file.h5::/path` names a
        dataset), an array (numpy, dask, zarr, or one that indexes like them), a list of arrays
        (the levels of a pyramid), or a source, which is returned as it is.
    axes
        The axes, outermost first, as `"zyx"`; None: what the format says, else a guess.
    level
        Of a multiscale image; 0 is the finest.
    channel, time
        Take only this one, and drop the axis; a channel also by its name.
    voxel_size, units
        Override what the format says, along the axes they name.
    dtypes
        What the model accepts: the image is widened without loss if it is none of these.
    chunks
        Extents of the chunks that it is cut into, if its own cannot travel; None: what suits it.
    pieces_bytes
        What may be held of the pieces in which it is stored.

    Raises
    ------
    SourceUnreadable
        If it cannot be opened, holds no single image, or one in pieces that are too large.
    AxesMismatch
        If the axes are not known, do not fit, or lack the channel or time.
    DtypeUnsuitable
        If it does not hold plain numbers, or would not fit into `dtypes` without loss.
    VolumeEmpty
        If an axis has no voxels.
    """
    if _is_source(thing):
        return thing  # type: ignore[no-any-return] # it has all that a source has
    wish = _Wish(axes, level, channel, time, voxel_size, units, name, dtypes, chunks, pieces_bytes)
    image = image_of(thing, axes=axes, level=level)
    try:
        return _source(image, wish)
    except BaseException:  # whatever it is: the file is closed first
        image.pixels.close()
        raise


def reopen(origin: Origin, *, pieces_bytes: int = PIECES_BYTES) -> Source:
    """Open again what another process had opened; raises as `open_source` does."""
    if origin.stacked:
        share_bytes = pieces_bytes // len(origin.stacked)
        openings = [partial(reopen, one, pieces_bytes=share_bytes) for one in origin.stacked]
        return open_stacked(openings, origin.channel_names)
    given = origin.model_dump(exclude={"address", "stacked", "channel_names"})
    return open_source(origin.address, **given, pieces_bytes=pieces_bytes)


def _is_source(thing: object) -> bool:
    return all(hasattr(thing, name) for name in ("request", "chunk", "read", "close"))


def _source(image: Image, wish: _Wish) -> Source:
    geometry = _overridden(image, wish)
    shape = image.pixels.shape
    if 0 in shape:
        raise VolumeEmpty(f"The image has shape {shape}.")
    selection, geometry = select(geometry, shape, channel=wish.channel, time=wish.time)
    if not {"y", "x"} <= set(geometry.axes):
        raise AxesMismatch(f"The image has the axes {list(geometry.axes)}: y and x are needed.")
    dtype = widened(image.pixels.dtype, wish.dtypes)
    origin = _origin(image, wish)
    if isinstance(image.pixels, ZarrPixels) and dtype == image.pixels.dtype.newbyteorder("="):
        document = verbatim_document(image.pixels.array, selection)
        if document is not None:
            request = _request(image, selection, geometry, document, dtype)
            return VerbatimSource(stored_chunks(image.pixels.array), selection, request, origin)
    pixels = SelectedPixels(image.pixels, selection) if selection.fixed else image.pixels
    chunks = _chunks(pixels, geometry, dtype, wish)
    request = _request(image, selection, geometry, v3_document(pixels.shape, chunks, dtype), dtype)
    return _rechunked(pixels, request, origin, wish.pieces_bytes)


def _rechunked(
    pixels: Pixels, request: VolumeRequest, origin: Origin | None, pieces_bytes: int
) -> Source:
    together = None
    if pixels.pieces is not None:
        chunks = tuple(request.chunks[axis] for axis in request.axes)
        together = slab(pixels.shape, chunks, stored_extents(pixels.pieces))
    if together is not None:
        pixels = CachedPixels(pixels, pieces_bytes)
        request = request.model_copy(update={"together": sizes_of(request.axes, together)})
    if origin is not None:
        origin = origin.model_copy(update={"chunks": request.chunks})
    return RechunkedSource(pixels, request, origin)


def _chunks(
    pixels: Pixels, geometry: Geometry, dtype: "np.dtype[Any]", wish: _Wish
) -> tuple[int, ...]:
    if wish.chunks is not None and set(wish.chunks) == set(geometry.axes):
        return tuple(wish.chunks[axis] for axis in geometry.axes)
    if pixels.pieces is not None:
        _check_piece(pixels, stored_extents(pixels.pieces), wish.pieces_bytes)
    return suitable_chunks(
        geometry.axes, pixels.shape, dtype.itemsize, pixels.pieces, wish.pieces_bytes // _SLABS
    )


def _check_piece(pixels: Pixels, stored: tuple[int, ...], pieces_bytes: int) -> None:
    """Refuse what would have to be decoded again for every chunk."""
    size_bytes = math.prod(stored) * pixels.dtype.itemsize
    if size_bytes > pieces_bytes:
        raise SourceUnreadable(
            f"The image is stored in pieces of {' x '.join(map(str, stored))}, which take "
            f"{size_bytes} bytes each; {pieces_bytes} may be held.",
            remedy=f"Make the setting memory_budget_bytes {math.ceil(size_bytes / pieces_bytes)} "
            "times as large, take fewer images at a time, or store the image in smaller chunks.",
        )


def _overridden(image: Image, wish: _Wish) -> Geometry:
    geometry = image.geometry
    if len(geometry.axes) != len(image.pixels.shape):
        raise AxesMismatch(
            f"The image has {len(image.pixels.shape)} axes, but {list(geometry.axes)} are named."
        )
    sizes, units = dict(wish.voxel_size or {}), dict(wish.units or {})
    strangers = (set(sizes) | set(units)) - set(geometry.axes)
    if strangers:
        raise AxesMismatch(f"A voxel size is given for axes that the image lacks: {strangers}.")
    if len(positive(sizes)) != len(sizes):
        raise SourceUnreadable(f"The voxel size {sizes} is not above zero.", remedy="Correct it.")
    return replace(
        geometry,
        voxel_size=geometry.voxel_size | sizes,
        units=geometry.units | units,
        name=wish.name or geometry.name,
    )


def _request(
    image: Image,
    selection: Selection,
    geometry: Geometry,
    document: ArrayDocument,
    dtype: "np.dtype[Any]",
) -> VolumeRequest:
    shape = [image.pixels.shape[position] for position in selection.kept(len(image.pixels.shape))]
    facts: dict[str, Any] = {
        "axes": geometry.axes,
        "shape": sizes_of(geometry.axes, shape),
        "chunks": sizes_of(geometry.axes, chunk_shape(document) or ()),
        "dtype": dtype.name,
        "array": document.model_dump(),
        "voxel_size": geometry.voxel_size,
        "units": geometry.units,
        "translation": geometry.translation,
        "channel_names": geometry.channel_names,
    }
    identity = f"{image.identity}:{sorted(selection.fixed.items())}"
    return VolumeRequest(
        name=geometry.name, fingerprint=fingerprint.combine(identity, facts), **facts
    )


def _origin(image: Image, wish: _Wish) -> Origin | None:
    if image.address is None:
        return None
    return Origin(
        address=image.address,
        axes=image.geometry.axes if wish.axes else None,
        level=wish.level,
        channel=wish.channel,
        time=wish.time,
        voxel_size=dict(wish.voxel_size) if wish.voxel_size else None,
        units=dict(wish.units) if wish.units else None,
        name=wish.name,
        dtypes=wish.dtypes,
    )
