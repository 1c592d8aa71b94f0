"""The chunks of an array on this machine's disk, read one at a time without zarr's machinery.

zarr plans, schedules and gathers each read; for whole chunks that are read by the thousand, opening
the file and decoding it is a fraction of the work.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from zarr.storage import LocalStore

from napari_hmz.decoding import ChunkDecoder

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LocalChunks:
    """Reads whole chunks of one array.

    Parameters
    ----------
    array
        In a folder, stored chunk by chunk, with fill value 0.
    folder
        Of the array.
    decoder
        Of its chunks.
    """

    array: "zarr.Array[Any]"
    folder: Path
    decoder: ChunkDecoder

    @classmethod
    def of(cls, array: "zarr.Array[Any]") -> Self | None:
        """Return what reads an array's chunks; none if only zarr can."""
        store, document = array.store, array.metadata.to_dict()
        if not isinstance(store, LocalStore) or array.shards or array.fill_value != 0:
            return None
        decoder = ChunkDecoder.of_document(document)
        return None if decoder is None else cls(array, store.root / array.path, decoder)

    def path(self, place: tuple[int, ...]) -> Path:
        """Return where a chunk is stored, if it is."""
        return self.folder / self.array.metadata.encode_chunk_key(place)

    def read(self, place: tuple[int, ...]) -> "NDArray[Any]":
        """Return a chunk, as far as it lies inside the array.

        Raises
        ------
        ChunkCorrupt, ChunkTooLarge
            If its file is not what the array says.
        """
        sizes = zip(place, self.array.chunks, self.array.shape, strict=True)
        inside = [min(chunk, extent - number * chunk) for number, chunk, extent in sizes]
        try:
            body = self.path(place).read_bytes()
        except FileNotFoundError:
            return np.zeros(inside, self.array.dtype)
        return self.decoder.decode(body)[tuple(map(slice, inside))]
