"""What each chunk of a volume was when it came: a digest, in a file that only grows.

Nothing is synced, neither here nor of the chunks. After a loss of power a chunk may have its length
and blank pages, which a decoder may take for an image; and records may be missing, cut or blank.
So a chunk that an earlier process has left counts as held only if it has a record, and is compared
with that when it is read first. One without is wanted again.

Threads: `note` by one at a time; the rest by any.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.atomic import append_whole

ARRIVAL_FILE = "arrived.bin"
_RECORD = np.dtype([("place", "<u8"), ("digest", "<u8")])
"""A chunk's place in raster order, counted from 1. Never across two pages of the disk."""


@dataclass
class ArrivalLog:
    """The digests of one volume.

    Parameters
    ----------
    path
        Of the file.
    unproven
        By a chunk's place in raster order: what it must be; 0 where it is known to be good.
    """

    path: Path
    unproven: NDArray[np.uint64] = field(repr=False)

    @classmethod
    def read(cls, path: Path, total: int) -> "ArrivalLog":
        """Read what earlier processes have noted of a volume of so many chunks."""
        unproven = np.zeros(total, np.uint64)
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return cls(path, unproven)
        if len(body) % _RECORD.itemsize:  # cut short by a full disk or a loss of power
            body = body[: -(len(body) % _RECORD.itemsize)]
            os.truncate(path, len(body))
        records = np.frombuffer(body, _RECORD)
        good = records[(records["place"] > 0) & (records["place"] <= total)]
        unproven[good["place"].astype(np.int64) - 1] = good["digest"]  # the last one counts
        return cls(path, unproven)

    def note(self, place: int, digest: int) -> None:
        """Note what a chunk is that has come now.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        append_whole(self.path, np.array([(place + 1, digest)], _RECORD).tobytes())
        self.unproven[place] = 0

    def is_noted(self, place: int) -> bool:
        """Return whether there is a digest for a chunk that was left by an earlier process."""
        return bool(self.unproven[place])


def digest_of(sha256: bytes) -> int:
    """Return what is kept of a chunk's SHA-256; never 0."""
    return int.from_bytes(sha256[:8], "little") | 1


def body_digest(body: bytes) -> int:
    """Return the same of a chunk."""
    return digest_of(hashlib.sha256(body).digest())
