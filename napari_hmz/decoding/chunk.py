"""From the bytes of one chunk to its array, never further than the announced size.

The chunks of a volume come from outside: each step checks what it can before it decodes. Only the
codecs of `napari_hmz.schema.codecs` are known here; zarr is not asked, since it sets no limits.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import google_crc32c
import numpy as np
from numcodecs import blosc, lz4, zstd
from numpy.typing import NDArray

from napari_hmz.decoding import limits
from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge
from napari_hmz.schema import VolumeRequest

_V2 = 2
_CRC_BYTES = 4
Step = Callable[[bytes, int], bytes]
"""Takes an encoded body and the decoded size; returns the decoded body."""


@dataclass(frozen=True, slots=True)
class ChunkDecoder:
    """Decodes the chunks of one volume; safe in many threads.

    Parameters
    ----------
    shape
        Extents of one whole chunk, in the array's order.
    dtype
        As stored, byte order included.
    order
        The axes in the order in which they are stored: a transposition of the array's.
    steps
        From the stored bytes inwards.
    fill
        What a chunk that is not stored is made of; no axes.
    """

    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    order: tuple[int, ...]
    steps: tuple[Step, ...]
    fill: NDArray[Any]

    @classmethod
    def of(cls, request: VolumeRequest) -> Self:
        """Return the decoder of a volume whose announcement has been checked."""
        shape = tuple(request.chunks[axis] for axis in request.axes)
        document = request.array.document
        fill = _fill_value(document.get("fill_value"), np.dtype(request.dtype))
        if request.array.zarr_format == _V2:
            order = tuple(range(len(shape)))
            order = order[::-1] if document["order"] == "F" else order
            name = (document.get("compressor") or {}).get("id")
            first = (_STEPS[name],) if name else ()
            return cls(shape, np.dtype(document["dtype"]), order, first, fill)
        return cls._of_codecs(shape, request.dtype, document["codecs"], fill)

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self | None:
        """Return the decoder of an array by its `zarr.json`; none if a codec is not known here."""
        codecs = document.get("codecs", ())
        known = {*_STEPS, "bytes", "transpose"}
        if document.get("zarr_format") == _V2 or not {c["name"] for c in codecs} <= known:
            return None
        shape = tuple(document["chunk_grid"]["configuration"]["chunk_shape"])
        fill = _fill_value(document.get("fill_value"), np.dtype(document["data_type"]))
        return cls._of_codecs(shape, document["data_type"], codecs, fill)

    @classmethod
    def _of_codecs(
        cls,
        shape: tuple[int, ...],
        dtype: str,
        codecs: Sequence[Mapping[str, Any]],
        fill: NDArray[Any],
    ) -> Self:
        names = [codec["name"] for codec in reversed(codecs)]
        steps = tuple(_STEPS[name] for name in names if name in _STEPS)
        return cls(shape, _v3_dtype(dtype, codecs), _v3_order(shape, codecs), steps, fill)

    @property
    def size(self) -> int:
        """Bytes of one decoded chunk."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def encoded_limit(self) -> int:
        """The largest body that can be a chunk: no compressor makes much more of its input."""
        return self.size + self.size // 16 + 2**16

    def decode(self, body: bytes) -> NDArray[Any]:
        """Return the chunk as an array in the array's axes, native byte order.

        Raises
        ------
        ChunkCorrupt
            If a step fails, or too few bytes come out.
        ChunkTooLarge
            If more would come out than was announced.
        """
        limits.check_size(len(body), self.encoded_limit)
        try:
            for step in self.steps:
                body = step(body, self.size)
        except (RuntimeError, ValueError, TypeError, zlib.error) as error:
            raise ChunkCorrupt("A chunk does not decompress.") from error
        limits.check_size(len(body), self.size)
        if len(body) != self.size:
            raise ChunkCorrupt(f"A chunk has {len(body)} bytes instead of {self.size}.")
        stored = np.frombuffer(body, self.dtype).reshape([self.shape[axis] for axis in self.order])
        array = stored.transpose(np.argsort(self.order))
        return np.ascontiguousarray(array, self.dtype.newbyteorder("="))


def _blosc(body: bytes, size: int) -> bytes:
    _exact(limits.blosc_size(body), size)
    return bytes(blosc.decompress(body))


def _lz4(body: bytes, size: int) -> bytes:
    _exact(limits.lz4_size(body), size)
    return bytes(lz4.decompress(body))


def _zstd(body: bytes, size: int) -> bytes:
    bound = limits.zstd_bound(body)
    if bound > size + _zstd_slack(size):
        raise ChunkTooLarge(f"A chunk decodes to more than the announced {size} bytes.")
    return bytes(zstd.decompress(body))


def _zstd_slack(size: int) -> int:
    """Return by how much a frame without stated size may seem too large: blocks may be short."""
    return max(8 * limits.ZSTD_BLOCK_BYTES, size)


def _gzip(body: bytes, size: int) -> bytes:
    return limits.inflate(body, size, gzip=True)


def _zlib(body: bytes, size: int) -> bytes:
    return limits.inflate(body, size, gzip=False)


def _crc32c(body: bytes, size: int) -> bytes:  # noqa: ARG001 # the size is that of an outer step
    if len(body) < _CRC_BYTES or google_crc32c.value(body[:-_CRC_BYTES]) != int.from_bytes(
        body[-4:], "little"
    ):
        raise ChunkCorrupt("A chunk's checksum is wrong.")
    return body[:-_CRC_BYTES]


_STEPS: Mapping[str, Step] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "gzip": _gzip,
    "zlib": _zlib,
    "crc32c": _crc32c,
}


def _exact(stated: int, size: int) -> None:
    limits.check_size(stated, size)
    if stated != size:
        raise ChunkCorrupt(f"A chunk decodes to {stated} bytes instead of {size}.")


def _v3_dtype(name: str, codecs: Sequence[Mapping[str, Any]]) -> "np.dtype[Any]":
    settings = next(codec for codec in codecs if codec["name"] == "bytes").get("configuration")
    big = (settings or {}).get("endian") == "big"
    return np.dtype(name).newbyteorder(">" if big else "<")


def _v3_order(shape: tuple[int, ...], codecs: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    for codec in codecs:
        if codec["name"] == "transpose":
            return tuple(int(axis) for axis in codec["configuration"]["order"])
    return tuple(range(len(shape)))


def _fill_value(written: str | float | None, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return the value that zarr's documents write as a number, a word or hexadecimal bits."""
    if isinstance(written, str) and written.startswith("0x"):
        bits = int(written, 16).to_bytes(dtype.itemsize, "little")
        return np.frombuffer(bits, dtype.newbyteorder("<"))[0:1].astype(dtype).reshape(())
    if isinstance(written, str):
        written = float(written.replace("Infinity", "inf"))
    return np.asarray(written or 0, dtype)
