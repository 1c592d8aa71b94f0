"""The chunks of an array on this machine's disk, one at a time without zarr's machinery.

zarr plans, schedules and gathers each access; for whole chunks by the thousand, opening the file
and decoding it is a fraction of the work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numcodecs import blosc, zstd
from zarr.storage import LocalStore

from napari_hmz.blank import is_blank
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.results.disk import write_whole

if TYPE_CHECKING:
    import zarr
    from numpy.typing import NDArray

Pack = Callable[["NDArray[Any]"], bytes]
"""Encodes a whole chunk, little-endian and in one piece."""


@dataclass(frozen=True, slots=True)
class LocalChunks:
    """Reads and writes whole chunks of one array.

    Parameters
    ----------
    array
        In a folder, stored chunk by chunk, with fill value 0.
    shape, chunks
        Its extents and those of a chunk: zarr takes long to say.
    folder
        Of the array.
    decoder
        Of its chunks.
    pack
        Encodes a chunk; none if only zarr can.
    """

    array: "zarr.Array[Any]"
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    folder: Path
    decoder: ChunkDecoder
    pack: "Pack | None"

    @classmethod
    def of(cls, array: "zarr.Array[Any]") -> Self | None:
        """Return what reads an array's chunks; none if only zarr can."""
        store = array.store
        document: Mapping[str, Any] = array.metadata.to_dict()
        if not isinstance(store, LocalStore) or array.shards or array.fill_value != 0:
            return None
        decoder = ChunkDecoder.of_document(document)
        if decoder is None:
            return None
        folder, pack = store.root / array.path, _pack(document["codecs"])
        return cls(array, array.shape, array.chunks, folder, decoder, pack)

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
        sizes = zip(place, self.chunks, self.shape, strict=True)
        inside = [min(chunk, extent - number * chunk) for number, chunk, extent in sizes]
        try:
            body = self.path(place).read_bytes()
        except FileNotFoundError:
            return np.zeros(inside, self.array.dtype)
        return self.decoder.decode(body)[tuple(map(slice, inside))]

    def write(self, place: tuple[int, ...], values: "NDArray[Any]") -> bool:
        """Write a chunk, as far as it lies inside the array; False if only zarr can.

        A chunk of zeros is not stored.
        """
        if self.pack is None:
            return False
        path = self.path(place)
        if is_blank(values):
            path.unlink(missing_ok=True)
            return True
        whole = values
        if values.shape != self.chunks:
            whole = np.zeros(self.chunks, values.dtype)
            whole[tuple(map(slice, values.shape))] = values
        plain = np.ascontiguousarray(whole, self.array.dtype.newbyteorder("<"))
        write_whole(path, self.pack(plain))
        return True


def _pack(codecs: Sequence[Mapping[str, Any]]) -> Pack | None:
    """Return what encodes as these codecs say; none if they are not those of our own outputs."""
    if [codec["name"] for codec in codecs] == ["bytes", "zstd"]:
        level = codecs[1]["configuration"]["level"]
        return lambda plain: bytes(zstd.compress(plain, level))
    if [codec["name"] for codec in codecs] != ["bytes", "blosc"]:
        return None
    asked = codecs[1]["configuration"]
    if asked["shuffle"] != "bitshuffle":
        return None
    name, level = asked["cname"].encode(), asked["clevel"]
    return lambda plain: bytes(blosc.compress(plain, name, level, blosc.BITSHUFFLE))
