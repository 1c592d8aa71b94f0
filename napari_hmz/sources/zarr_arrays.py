"""Zarr arrays: which of them can be sent as they are stored; the others are offered as pixels."""

from typing import TYPE_CHECKING, Any

from napari_hmz.schema import ArrayDocument
from napari_hmz.schema.codecs import array_fault
from napari_hmz.sources.pixels import Box, Pieces, uniform
from napari_hmz.sources.selection import Selection
from napari_hmz.sources.shards import ShardLayout, Shards, inner_document
from napari_hmz.sources.stored_chunks import StoredChunks
from napari_hmz.sources.zarr_store import document_of

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
    if ShardLayout.of(document) is not None:
        document = inner_document(document) or document
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


def stored_chunks(array: "zarr.Array[Any]") -> "StoredChunks | Shards":
    """Return what reads the chunks of `verbatim_document` as they are stored."""
    layout, stored = ShardLayout.of(document_of(array)), StoredChunks(array)
    return stored if layout is None else Shards(stored, layout)
