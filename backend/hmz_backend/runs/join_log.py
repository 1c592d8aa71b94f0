"""Which blocks have been compared, and what came of it: a file that only grows.

```
joins.log   record record record …      one per block, in the order in which they were compared
record      bytes of body, CRC-32 of body (uint32 each), body
body        zstd( block, objects, joins; first voxels; joins ), all int64
```

A restart reads it and compares only blocks that are not in it. What a crash has left of a last
record is cut off. One thread at a time, save for `holds`.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numcodecs import zstd

from hmz_backend.stitching.unionfind import Ids, Pairs
from hmz_backend.stores.atomic import append_whole, renew

_HEAD = struct.Struct("<II")
_COUNTS = 3
ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """One block that has been compared with the neighbours before it."""

    block: int
    first: Ids
    """Where each of its objects begins, ascending."""
    pairs: Pairs
    """Joins, in provisional ids."""


@dataclass
class JoinLog:
    """The comparisons of one output.

    Parameters
    ----------
    path
        The file; it need not be there.
    """

    path: Path
    _blocks: set[int] | None = None

    def holds(self, block: int) -> bool:
        """Return whether a block has been compared, as far as the file said when first asked."""
        if self._blocks is None:
            self._blocks = {record.block for record in self.records()}
        return block in self._blocks

    def forget(self) -> None:
        """Let go of what `holds` was answered from: it is asked at the start only."""
        self._blocks = None

    def records(self) -> Iterator[Compared]:
        """Yield what is there, in order; a torn end is cut off."""
        try:
            with self.path.open("r+b") as file:
                while (record := _read(file)) is not None:
                    yield record
        except FileNotFoundError:
            return

    def take_up(self) -> Iterator[Compared]:
        """Yield what an earlier driver has left, which may append to its own file still.

        That driver may be in another process, stalled between opening the file and writing to it.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        renew(self.path)
        return self.records()

    def append(self, records: Sequence[Compared]) -> None:
        """Put records at the end.

        Raises
        ------
        DiskFull
            If there is no space; then none of them is in.
        """
        if records:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            append_whole(self.path, b"".join(map(_frame, records)))

    def sync(self) -> None:
        """Return once everything is on the disk: what it was made from may go then."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            os.fsync(file.fileno())


def _frame(record: Compared) -> bytes:
    counts = np.array([record.block, len(record.first), len(record.pairs)], "<i8")
    gaps = np.diff(record.first, prepend=0)  # small numbers pack well
    plain = counts.tobytes() + gaps.tobytes() + record.pairs.tobytes()
    body = bytes(zstd.compress(plain, ZSTD_LEVEL))
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _read(file: BinaryIO) -> Compared | None:
    """Return the next record; where there is none, end the file."""
    start = file.tell()
    head = file.read(_HEAD.size)
    if len(head) == _HEAD.size:
        length, crc = _HEAD.unpack(head)
        body = file.read(length)
        if len(body) == length and length and zlib.crc32(body) == crc:
            return _parse(zstd.decompress(body))
    file.truncate(start)
    return None


def _parse(plain: bytes) -> Compared:
    block, objects, _ = np.frombuffer(plain, "<i8", _COUNTS).tolist()
    first = np.cumsum(np.frombuffer(plain, "<i8", objects, 8 * _COUNTS))
    pairs = np.frombuffer(plain, "<i8", offset=8 * (_COUNTS + objects)).reshape(-1, 2)
    return Compared(block, first, pairs)
