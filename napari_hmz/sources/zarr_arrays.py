"""Zarr arrays: sent as they are stored where that may be, else offered as pixels."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_hmz.schema import ArrayDocument, AxisName, Interval, VolumeRequest
from napari_hmz.schema.codecs import array_fault
from napari_hmz.sources.keys import index_of
from napari_hmz.sources.pixels import Box, Pieces, reading, uniform
from napari_hmz.sources.protocol import Origin
from napari_hmz.sources.region import box_in
from napari_hmz.sources.selection import Selection
from napari_hmz.sources.zarr_store import document_of, encoded_chunk

if TYPE_CHECKING:
    import numpy as np
    import zarr
    from numpy.typing import NDArray

_V2 = 2


class ZarrPixels:
    """A zarr array as pixels; its pieces are chunks, or the inner chunks of its shards."""

    def __init__(self, array: "zarr.Array[Any]") -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        return self.array.dtype

    @property
    def pieces(self) -> Pieces | None:
        """The array's chunks."""
        return uniform(self.shape, tuple(self.array.chunks))

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`."""
        import numpy as np

        return np.asarray(self.array[box])

    def close(self) -> None:
        """Leave the array's store to whoever opened it."""


def verbatim_document(array: "zarr.Array[Any]", selection: Selection) -> ArrayDocument | None:
    """Return the document under which stored chunks can travel; none if they cannot.

    A fixed axis disappears from the document if each chunk has one index of it: the bytes of
    such a chunk are the same with and without that axis.
    """
    document = document_of(array)
    if array_fault(document):
        return None
    if any(array.chunks[position] != 1 for position in selection.fixed):
        return None
    return _narrowed(document, selection.kept(array.ndim)) if selection.fixed else document


def _narrowed(whole: ArrayDocument, kept: tuple[int, ...]) -> ArrayDocument:
    document = dict(whole.document)
    document["shape"] = [document["shape"][at] for at in kept]
    if whole.zarr_format == _V2:
        document["chunks"] = [document["chunks"][at] for at in kept]
        return ArrayDocument(zarr_format=2, document=document)
    chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
    document["chunk_grid"] = {
        "name": "regular",
        "configuration": {"chunk_shape": [chunks[at] for at in kept]},
    }
    if document.get("dimension_names"):
        document["dimension_names"] = [document["dimension_names"][at] for at in kept]
    document["codecs"] = [_narrowed_codec(codec, kept) for codec in document["codecs"]]
    return ArrayDocument(zarr_format=3, document=document)


def _narrowed_codec(codec: dict[str, Any], kept: tuple[int, ...]) -> dict[str, Any]:
    if codec["name"] != "transpose":
        return codec
    order = [kept.index(at) for at in codec["configuration"]["order"] if at in kept]
    return {"name": "transpose", "configuration": {"order": order}}


class VerbatimSource:
    """Sends the chunks of a zarr array as they are stored, without decoding them.

    Parameters
    ----------
    selection
        Axes that the announcement leaves out.
    request
        Its array document must be that of `verbatim_document`.
    """

    def __init__(
        self,
        array: "zarr.Array[Any]",
        selection: Selection,
        request: VolumeRequest,
        origin: Origin | None,
    ) -> None:
        self._array = array
        self._selection = selection
        self._request = request
        self._origin = origin

    @property
    def request(self) -> VolumeRequest:
        """The announcement, without statistics."""
        return self._request

    @property
    def origin(self) -> Origin | None:
        """How another process opens it again."""
        return self._origin

    def chunk(self, key: str) -> bytes | None:
        """Return a chunk's stored bytes; none if the store does not hold it."""
        index = self._selection.widened(index_of(self._request, key), self._selection.fixed)
        with reading(f"Chunk {key} of {self._request.name or 'the image'} cannot be read"):
            return encoded_chunk(self._array, index)

    def read(self, region: Mapping[AxisName, Interval]) -> "NDArray[Any]":
        """Return the voxels of `region`, decoded."""
        import numpy as np

        box = list(box_in(region, self._request))
        for position in sorted(self._selection.fixed):
            box.insert(position, self._selection.fixed[position])  # type: ignore[arg-type] # an index among slices drops its axis
        with reading(f"{self._request.name or 'The image'} cannot be read"):
            values = np.asarray(self._array[tuple(box)])
        return values.astype(np.dtype(self._request.dtype), copy=False)

    def close(self) -> None:
        """Leave the array's store to whoever opened it."""
