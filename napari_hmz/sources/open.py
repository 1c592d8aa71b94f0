"""`open_source`: the one way from whatever a user has to a source.

```
thing -> Image (pixels, geometry, identity)     zarr_images, arrays, tiff, hdf5
      -> selection of channel and time          selection
      -> VerbatimSource if its chunks may travel, else RechunkedSource
```
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_hmz.errors import AxesMismatch, SourceUnreadable, VolumeEmpty
from napari_hmz.schema import ArrayDocument, AxisName, VolumeRequest, sizes_of
from napari_hmz.schema.codecs import chunk_shape
from napari_hmz.sources import fingerprint
from napari_hmz.sources.chunk_shape import suitable_chunks
from napari_hmz.sources.dtypes import widened
from napari_hmz.sources.geometry import Geometry, positive
from napari_hmz.sources.piece_cache import CACHE_BYTES, CachedPixels
from napari_hmz.sources.pixels import Image, Pixels
from napari_hmz.sources.protocol import Origin, Source
from napari_hmz.sources.rechunk import RechunkedSource, v3_document
from napari_hmz.sources.selection import SelectedPixels, Selection, select
from napari_hmz.sources.things import image_of
from napari_hmz.sources.zarr_arrays import VerbatimSource, ZarrPixels, verbatim_document


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

    Raises
    ------
    SourceUnreadable
        If it cannot be opened, or holds no single image.
    AxesMismatch
        If the axes are not known, do not fit, or lack the channel or time.
    DtypeUnsuitable
        If it does not hold plain numbers, or would not fit into `dtypes` without loss.
    VolumeEmpty
        If an axis has no voxels.
    """
    if _is_source(thing):
        return thing  # type: ignore[no-any-return] # it has all that a source has
    wish = _Wish(axes, level, channel, time, voxel_size, units, name, dtypes)
    image = image_of(thing, axes=axes, level=level)
    try:
        return _source(image, wish)
    except BaseException:  # whatever it is: the file is closed first
        image.pixels.close()
        raise


def reopen(origin: Origin) -> Source:
    """Open again what another process had opened."""
    return open_source(origin.address, **origin.model_dump(exclude={"address"}))


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
            return VerbatimSource(image.pixels.array, selection, request, origin)
    pixels = _cut(image.pixels, selection)
    chunks = suitable_chunks(
        geometry.axes, pixels.shape, dtype.itemsize, pixels.pieces, CACHE_BYTES
    )
    request = _request(image, selection, geometry, v3_document(pixels.shape, chunks, dtype), dtype)
    return RechunkedSource(_cached(pixels, chunks), request, origin)


def _cut(pixels: Pixels, selection: Selection) -> Pixels:
    return SelectedPixels(pixels, selection) if selection.fixed else pixels


def _cached(pixels: Pixels, chunks: tuple[int, ...]) -> Pixels:
    """Put a cache before pixels of which one piece would serve several chunks."""
    if pixels.pieces is None:
        return pixels
    stored = [max(extents) for extents in pixels.pieces]
    is_aligned = all(
        chunk % extent == 0 or chunk >= size
        for chunk, extent, size in zip(chunks, stored, pixels.shape, strict=True)
    )
    return pixels if is_aligned else CachedPixels(pixels)


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
