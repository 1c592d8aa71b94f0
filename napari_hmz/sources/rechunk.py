"""Sources whose own chunks cannot travel: cut anew, and encoded as zarr v3."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numcodecs import blosc

from napari_hmz.blank import is_blank
from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import ArrayDocument, AxisName, Interval, VolumeRequest
from napari_hmz.sources.attempts import attempted
from napari_hmz.sources.keys import box_of, index_of
from napari_hmz.sources.pixels import Pixels, reading
from napari_hmz.sources.protocol import Origin
from napari_hmz.sources.region import box_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, LEVEL = "zstd", 1
"""What is announced; chunks may be packed in another way, which stands in the header of each."""


def v3_document(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: "np.dtype[Any]"
) -> ArrayDocument:
    """Return the zarr v3 document of what `RechunkedSource` sends.

    Values are shuffled bit by bit before zstd (inside Blosc): the bits that a camera does not fill
    go away, and what is left is packed at several times the speed of bytes.
    """
    little: dict[str, Any] = {"name": "bytes"}
    if dtype.itemsize > 1:
        little["configuration"] = {"endian": "little"}
    packed = {
        "name": "blosc",
        "configuration": {
            "cname": NAME,
            "clevel": LEVEL,
            "shuffle": "bitshuffle",
            "typesize": dtype.itemsize,
            "blocksize": 0,
        },
    }
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if dtype.kind == "b" else 0,
        "codecs": [little, packed],
        "attributes": {},
    }
    return ArrayDocument(zarr_format=3, document=document)


class RechunkedSource:
    """Cuts, widens and encodes pixels chunk by chunk, when they are asked for.

    Parameters
    ----------
    request
        Its array document must be that of `v3_document`.
    """

    def __init__(self, pixels: Pixels, request: VolumeRequest, origin: Origin | None) -> None:
        self._pixels = pixels
        self._request = request
        self._origin = origin
        self._dtype = np.dtype(request.dtype)
        self._packed = (NAME, LEVEL)
        self._closing = threading.Lock()
        self._is_closed = False

    @property
    def request(self) -> VolumeRequest:
        """The announcement, without statistics."""
        return self._request

    @property
    def origin(self) -> Origin | None:
        """How another process opens it again."""
        return self._origin

    def chunk(self, key: str) -> bytes | None:
        """Return a chunk's encoded bytes; none if all its voxels are 0."""
        box = box_of(self._request, index_of(self._request, key))
        values = self._values(box)
        if is_blank(values):
            return None
        if values.shape == tuple(self._request.chunks[axis] for axis in self._request.axes):
            return _encoded(np.ascontiguousarray(values), *self._packed)
        whole = np.zeros([self._request.chunks[axis] for axis in self._request.axes], self._dtype)
        whole[tuple(slice(0, extent) for extent in values.shape)] = values
        return _encoded(whole, *self._packed)

    def pack(self, name: str, level: int) -> None:
        """Pack chunks by another compressor of Blosc, or harder, from now on."""
        self._packed = (name, level)

    def place(self, key: str) -> str:
        """Return the image's address: its files have no chunk of this key."""
        index_of(self._request, key)
        return self._origin.address if self._origin else self._request.name or "memory"

    def read(self, region: Mapping[AxisName, Interval]) -> "NDArray[Any]":
        """Return the voxels of `region`, in the announced axes and dtype."""
        return self._values(box_in(region, self._request))

    def close(self) -> None:
        """Close the file."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._pixels.close()

    def _values(self, box: tuple[slice, ...]) -> "NDArray[Any]":
        if self._is_closed:
            raise SourceUnreadable("The image has been closed.")
        with reading(f"{self._request.name or 'The image'} cannot be read"):
            values = attempted(lambda: self._pixels.read(box))
        extents = tuple(part.stop - part.start for part in box)
        if values.shape != extents:
            raise SourceUnreadable(
                f"{self._request.name or 'The image'} gave {values.shape} instead of {extents}."
            )
        return values.astype(self._dtype, copy=False)


def _encoded(whole: "NDArray[Any]", name: str, level: int) -> bytes:
    little = whole.astype(whole.dtype.newbyteorder("<"), copy=False)
    return bytes(blosc.compress(little, name.encode(), level, blosc.BITSHUFFLE))
