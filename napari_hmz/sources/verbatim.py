"""Sources whose chunks travel as they are stored: nothing is decoded to be sent."""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_hmz.decoding import ChunkDecoder
from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge, SourceUnreadable
from napari_hmz.schema import AxisName, Interval, VolumeRequest
from napari_hmz.sources.damage import REPAIR, damage
from napari_hmz.sources.keys import index_of, key_of
from napari_hmz.sources.pixels import reading
from napari_hmz.sources.protocol import Origin
from napari_hmz.sources.region import box_in
from napari_hmz.sources.selection import Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Stored(Protocol):
    """The chunks of an array as they are stored."""

    def get(self, index: tuple[int, ...], /) -> bytes | None:
        """Return a chunk; none if it is not held."""

    def place(self, index: tuple[int, ...], /) -> str:
        """Return where it lies, for a person."""


class VerbatimSource:
    """Sends the chunks of a zarr array as they are stored, without decoding them.

    Parameters
    ----------
    stored
        The chunks, with all axes of the array.
    selection
        Axes that the announcement leaves out.
    request
        Its array document must be that of `verbatim_document`.
    """

    def __init__(
        self, stored: Stored, selection: Selection, request: VolumeRequest, origin: Origin | None
    ) -> None:
        self._stored = stored
        self._selection = selection
        self._request = request
        self._origin = origin
        self._decoder = ChunkDecoder.of(request)

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
        whole = self._whole(index_of(self._request, key))
        with reading(f"Chunk {key} of {self._request.name or 'the image'} cannot be read"):
            return self._stored.get(whole)

    def place(self, key: str) -> str:
        """Return where a chunk is stored: its file, or its part of a shard."""
        return self._stored.place(self._whole(index_of(self._request, key)))

    def read(self, region: Mapping[AxisName, Interval]) -> "NDArray[Any]":
        """Return the voxels of `region`, decoded chunk by chunk, no further than announced."""
        box = box_in(region, self._request)
        out = np.empty([part.stop - part.start for part in box], np.dtype(self._request.dtype))
        chunks = [self._request.chunks[axis] for axis in self._request.axes]
        spans = [
            range(part.start // chunk, -(-part.stop // chunk) if part.stop > part.start else 0)
            for part, chunk in zip(box, chunks, strict=True)
        ]
        for index in itertools.product(*spans):
            inside, target = [], []
            for at, chunk, part in zip(index, chunks, box, strict=True):
                start, stop = max(at * chunk, part.start), min((at + 1) * chunk, part.stop)
                inside.append(slice(start - at * chunk, stop - at * chunk))
                target.append(slice(start - part.start, stop - part.start))
            out[tuple(target)] = self._decoded(index)[tuple(inside)]
        return out

    def close(self) -> None:
        """Leave the array's store to whoever opened it."""

    def _whole(self, index: tuple[int, ...]) -> tuple[int, ...]:
        return self._selection.widened(index, self._selection.fixed)

    def _decoded(self, index: tuple[int, ...]) -> "NDArray[Any]":
        key = key_of(self._request, index)
        body = self.chunk(key)
        if body is None:
            return np.broadcast_to(self._decoder.fill, self._decoder.shape)
        try:
            return self._decoder.decode(body)
        except (ChunkCorrupt, ChunkTooLarge) as error:
            raise SourceUnreadable(damage(self, key, error), remedy=REPAIR) from error
