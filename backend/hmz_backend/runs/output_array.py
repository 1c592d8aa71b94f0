"""One output array on disk: zarr v3, one chunk per block, zstd, written whole or not at all.

Chunks are encoded here rather than by zarr, since a chunk is always written as a whole, and its
digest is wanted with it. Threads: different chunks may be written at once.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

from hmz_backend.stores.atomic import write_whole
from napari_hmz.schema import OutputArray

LEVEL = 1  # higher levels cost more time than they save on the link


@dataclass(frozen=True, slots=True)
class OutputFile:
    """Writes and reads the chunks of one output.

    Parameters
    ----------
    spec
        Shape, chunks and data type.
    folder
        Where the array is.
    """

    spec: OutputArray
    folder: Path

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Extents of a whole chunk, in the array's axes."""
        return tuple(self.spec.chunks[axis] for axis in self.spec.axes)

    def create(self, run: str, source: str) -> None:
        """Write the array's document."""
        document = array_document(self.spec)
        document["attributes"] = {"hmz": {"run": run, "source": source}}
        write_whole(self.folder / "zarr.json", json.dumps(document).encode())

    def write(self, key: str, array: NDArray[Any]) -> str:
        """Write the part of a chunk that lies inside the array; return its digest.

        A chunk of zeros is not stored, and its digest is empty.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        path = self.folder / key
        if not array.any():
            path.unlink(missing_ok=True)
            return ""
        body = self.encode(array)
        write_whole(path, body)
        return hashlib.sha256(body).hexdigest()

    def encode(self, array: NDArray[Any]) -> bytes:
        """Return a chunk as it is stored; what lies outside the array is zero."""
        dtype = np.dtype(self.spec.dtype).newbyteorder("<")
        if array.shape != self.chunk_shape:
            whole = np.zeros(self.chunk_shape, dtype)
            whole[tuple(slice(0, extent) for extent in array.shape)] = array
            array = whole
        return bytes(zstd.compress(np.ascontiguousarray(array, dtype), LEVEL))

    def holds(self, key: str, digest: str) -> bool:
        """Return whether a chunk is as the journal says."""
        try:
            body = (self.folder / key).read_bytes()
        except FileNotFoundError:
            return not digest
        return hashlib.sha256(body).hexdigest() == digest


def array_document(spec: OutputArray) -> dict[str, Any]:
    """Return the `zarr.json` of an output."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [spec.shape[axis] for axis in spec.axes],
        "data_type": spec.dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [spec.chunks[axis] for axis in spec.axes]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if spec.dtype == "bool" else 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": LEVEL, "checksum": False}},
        ],
        "dimension_names": list(spec.axes),
        "attributes": {},
    }
