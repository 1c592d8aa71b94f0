"""One output array on disk: zarr v3, one chunk per block, written whole or not at all.

Chunks are encoded here rather than by zarr, since a chunk is always written as a whole, and its
digest is wanted with it. Threads: different chunks may be written at once.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import blosc, zstd
from numpy.typing import NDArray

from hmz_backend.stores.atomic import write_whole
from napari_hmz.blank import is_blank
from napari_hmz.schema import OutputArray, Region
from napari_hmz.schema.output_document import (
    LABEL_KINDS,
    LZ4_LEVEL,
    ZSTD_LEVEL,
    output_document,
)

DOCUMENT = "zarr.json"
Wrote = Callable[[int], None]


def array_document(spec: OutputArray, run: str, source: str) -> bytes:
    """Return the `zarr.json` of an output of a run on an image of this name."""
    document = output_document(spec)
    document["attributes"] = {"hmz": {"run": run, "source": source}}
    return json.dumps(document).encode()


def unnoticed(_size: int) -> None:
    """Let nobody know."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """Writes and reads the chunks of one output.

    Parameters
    ----------
    spec
        Shape, chunks and data type.
    folder
        Where the array is.
    wrote
        Called with the bytes of each chunk that is written, from any thread.
    """

    spec: OutputArray
    folder: Path
    wrote: Wrote = field(default=unnoticed, compare=False, repr=False)

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Extents of a whole chunk, in the array's axes."""
        return tuple(self.spec.chunks[axis] for axis in self.spec.axes)

    def create(self, run: str, source: str) -> None:
        """Write the array's document."""
        write_whole(self.folder / DOCUMENT, array_document(self.spec, run, source))

    def write(self, key: str, array: NDArray[Any]) -> str:
        """Write the part of a chunk that lies inside the array; return its digest.

        A chunk of zeros is not stored, and its digest is empty.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        path = self.folder / key
        array = np.ascontiguousarray(array)  # a view of a tile: gathered once, then read twice
        if is_blank(array):
            return self.write_nothing(key)
        body = self.encode(array)
        write_whole(path, body)
        self.wrote(len(body))
        return hashlib.sha256(body).hexdigest()

    def write_nothing(self, key: str) -> str:
        """Make a chunk one of zeros, which is not stored; return its digest, which is empty."""
        (self.folder / key).unlink(missing_ok=True)
        return ""

    def encode(self, array: NDArray[Any]) -> bytes:
        """Return a chunk as it is stored; what lies outside the array is zero."""
        dtype = np.dtype(self.spec.dtype).newbyteorder("<")
        if array.shape != self.chunk_shape:
            whole = np.zeros(self.chunk_shape, dtype)
            whole[tuple(slice(0, extent) for extent in array.shape)] = array
            array = whole
        plain = np.ascontiguousarray(array, dtype)
        if self.spec.kind in LABEL_KINDS:
            return bytes(zstd.compress(plain, ZSTD_LEVEL))
        # In a worker thread this takes one thread: the same values give the same bytes.
        return bytes(blosc.compress(plain, b"lz4", LZ4_LEVEL, blosc.BITSHUFFLE))

    def read(self, key: str, region: Region) -> NDArray[Any]:
        """Return a chunk of labels, as far as it lies in the region that it was written for."""
        shape = tuple(stop - start for start, stop in (region[axis] for axis in self.spec.axes))
        dtype = np.dtype(self.spec.dtype).newbyteorder("<")
        try:
            body = (self.folder / key).read_bytes()
        except FileNotFoundError:
            return np.zeros(shape, dtype)
        whole = np.frombuffer(zstd.decompress(body), dtype).reshape(self.chunk_shape)
        return whole[tuple(slice(0, extent) for extent in shape)]

    def holds(self, key: str, digest: str) -> bool:
        """Return whether a chunk is as the journal says."""
        try:
            body = (self.folder / key).read_bytes()
        except FileNotFoundError:
            return not digest
        return hashlib.sha256(body).hexdigest() == digest
