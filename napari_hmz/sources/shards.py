"""Sharded zarr v3 arrays: their inner chunks, found by the index of each shard, as they are stored.

```
shard = inner chunks, in any order | index: (offset, length) of each, perhaps a checksum
```
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import google_crc32c
import numpy as np
from zarr.abc.store import ByteRequest, RangeByteRequest, SuffixByteRequest

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import ArrayDocument
from napari_hmz.sources.stored_chunks import StoredChunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CRC_BYTES = 4
_EMPTY = np.uint64(2**64 - 1)
"""Stands for offset and length of an inner chunk that is nothing but fill value."""
_INDICES_BYTES = 16 * 2**20
"""What the indices that are kept may take."""


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """How an array's shards are built.

    Parameters
    ----------
    per_shard
        How many inner chunks a shard has along each axis.
    order
        Byte order of the index.
    has_checksum, location
        Whether the index ends with a checksum, and where in the shard it is.
    """

    per_shard: tuple[int, ...]
    order: Literal["<", ">"]
    has_checksum: bool
    location: str

    @classmethod
    def of(cls, document: ArrayDocument) -> Self | None:
        """Return the layout of an array's shards; none if it has none, or unusual ones."""
        sharding = _sharding(document)
        if sharding is None:
            return None
        index = [(codec.get("name"), codec) for codec in sharding.get("index_codecs", ())]
        if [name for name, _ in index] not in (["bytes"], ["bytes", "crc32c"]):
            return None
        endian = (index[0][1].get("configuration") or {}).get("endian", "little")
        shard = document.document["chunk_grid"]["configuration"]["chunk_shape"]
        inner = sharding["chunk_shape"]
        if any(whole % part for whole, part in zip(shard, inner, strict=True)):
            return None
        return cls(
            per_shard=tuple(whole // part for whole, part in zip(shard, inner, strict=True)),
            order="<" if endian == "little" else ">",
            has_checksum=len(index) > 1,
            location=sharding.get("index_location", "end"),
        )

    @property
    def index_bytes(self) -> int:
        """What the index of a shard takes."""
        return 16 * math.prod(self.per_shard) + (_CRC_BYTES if self.has_checksum else 0)

    @property
    def index_part(self) -> ByteRequest:
        """Where the index of a shard stands in it."""
        if self.location == "start":
            return RangeByteRequest(0, self.index_bytes)
        return SuffixByteRequest(self.index_bytes)

    def decoded(self, body: bytes) -> "NDArray[np.uint64] | None":
        """Return offset and length of each inner chunk; none if the index is damaged."""
        if len(body) != self.index_bytes:
            return None
        table = body[: 16 * math.prod(self.per_shard)]
        if self.has_checksum and google_crc32c.value(table) != int.from_bytes(
            body[-_CRC_BYTES:], "little"
        ):
            return None
        pairs = np.frombuffer(table, np.dtype("u8").newbyteorder(self.order))
        return pairs.astype(np.uint64).reshape(*self.per_shard, 2)


def inner_document(document: ArrayDocument) -> ArrayDocument | None:
    """Return a sharded array's document as if its inner chunks were stored one by one."""
    sharding = _sharding(document)
    if sharding is None:
        return None
    inner = dict(document.document)
    inner["chunk_grid"] = {
        "name": "regular",
        "configuration": {"chunk_shape": list(sharding["chunk_shape"])},
    }
    inner["codecs"] = list(sharding["codecs"])
    return ArrayDocument(zarr_format=document.zarr_format, document=inner)


def _sharding(document: ArrayDocument) -> Mapping[str, Any] | None:
    """Return the configuration of the sharding codec, if it is the only one."""
    codecs: Sequence[Mapping[str, Any]] = document.document.get("codecs", ())
    if [codec.get("name") for codec in codecs] != ["sharding_indexed"]:
        return None
    configuration: Mapping[str, Any] = codecs[0]["configuration"]
    return configuration


class Shards:
    """Reads the inner chunks of a sharded array as they are stored; from any thread.

    Parameters
    ----------
    stored
        The shards.
    layout
        How they are built.
    """

    def __init__(self, stored: StoredChunks, layout: ShardLayout) -> None:
        self._stored, self._layout = stored, layout
        self._kept: OrderedDict[tuple[int, ...], NDArray[np.uint64] | None] = OrderedDict()
        self._most = max(1, _INDICES_BYTES // layout.index_bytes)
        self._guard = threading.Lock()

    def get(self, index: tuple[int, ...]) -> bytes | None:
        """Return the bytes of an inner chunk; none if its shard does not hold it.

        Raises
        ------
        SourceUnreadable
            If the shard is cut short, or its index is damaged.
        """
        shard, inside = self._split(index)
        table = self._index(shard)
        if table is None or table[inside][1] == _EMPTY:
            return None
        start, length = (int(number) for number in table[inside])
        body = self._stored.get(shard, RangeByteRequest(start, start + length))
        if body is None or len(body) != length:
            raise SourceUnreadable(f"{self._stored.place(shard)} is cut short.")
        return body

    def place(self, index: tuple[int, ...]) -> str:
        """Return where an inner chunk lies, for a person."""
        shard, inside = self._split(index)
        return f"{self._stored.place(shard)} (inner chunk {'/'.join(map(str, inside))})"

    def _split(self, index: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        pairs = [divmod(at, many) for at, many in zip(index, self._layout.per_shard, strict=True)]
        return tuple(shard for shard, _ in pairs), tuple(inside for _, inside in pairs)

    def _index(self, shard: tuple[int, ...]) -> "NDArray[np.uint64] | None":
        with self._guard:
            if shard in self._kept:
                self._kept.move_to_end(shard)
                return self._kept[shard]
        body = self._stored.get(shard, self._layout.index_part)
        table = None if body is None else self._layout.decoded(body)
        if body is not None and table is None:
            raise SourceUnreadable(f"The index of {self._stored.place(shard)} is damaged.")
        with self._guard:
            self._kept[shard] = table
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return table
