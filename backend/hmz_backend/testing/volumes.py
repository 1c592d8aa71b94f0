"""Volumes for tests: an array announced and encoded as a client would."""

import hashlib
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

from napari_hmz.schema import AXIS_ORDER, ArrayDocument, Axes, VolumeRequest


def announcement(
    array: NDArray[Any],
    chunks: Sequence[int],
    *,
    axes: Axes | None = None,
    **more: Any,  # noqa: ANN401 # any other field of the message
) -> VolumeRequest:
    """Return what a client says of `array` (axes the last of t c z y x, unless given)."""
    names = axes or AXIS_ORDER[-array.ndim :]
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(array.shape),
        "data_type": array.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
        ],
    }
    return VolumeRequest(
        axes=names,
        shape=dict(zip(names, array.shape, strict=True)),
        chunks=dict(zip(names, chunks, strict=True)),
        dtype=array.dtype.name,
        array=ArrayDocument(zarr_format=3, document=document),
        **{"fingerprint": hashlib.sha256(array.tobytes()).hexdigest(), **more},
    )


def encoded_chunks(array: NDArray[Any], chunks: Sequence[int]) -> dict[str, bytes]:
    """Return every chunk of `array` by key, zstd, edges filled with zeros."""
    counts = [math.ceil(n / c) for n, c in zip(array.shape, chunks, strict=True)]
    found = {}
    for index in itertools.product(*map(range, counts)):
        part = array[tuple(slice(i * c, i * c + c) for i, c in zip(index, chunks, strict=True))]
        whole = np.zeros(chunks, array.dtype.newbyteorder("<"))
        whole[tuple(slice(0, extent) for extent in part.shape)] = part
        found["c/" + "/".join(map(str, index))] = bytes(zstd.compress(whole, 1))
    return found
