"""How hard chunks are packed: as hard as the link is slow, and never so hard that it runs empty.

What is announced stays the same: how a chunk was packed stands in its own header. Each level pays
as long as one processor core packs faster than the link carries the result; the limits below are
what camera images gave (docs/explanation/large-images.md).
"""

import math
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from napari_hmz.transfer.traffic import Counts


@dataclass(frozen=True, slots=True)
class Level:
    """One way to pack.

    Parameters
    ----------
    name, level
        As Blosc calls them.
    fastest_bytes_per_s
        Of a link on which it pays, in packed bytes.
    """

    name: str
    level: int
    fastest_bytes_per_s: float


LEVELS: Final = (
    Level("lz4", 5, math.inf),
    Level("zstd", 1, 250e6),
    Level("zstd", 7, 20e6),
    Level("zstd", 9, 4e6),
)
_NEAR_S = 0.003
"""A shorter round trip is that of this machine or of its neighbour."""
_CHUNKS = 16
"""Between two looks: fewer tell nothing of the link."""
_IDLE, _BUSY = 0.1, 0.3
"""The part of the time that goes into reading and packing: below there is time to pack harder."""


@runtime_checkable
class Packs(Protocol):
    """A source that packs its chunks itself."""

    def pack(self, name: str, level: int, /) -> None:
        """Pack this way from now on."""


class Packing:
    """Chooses the level for one upload from what its time went into.

    Parameters
    ----------
    rtt_s
        Round-trip time of the link.
    """

    def __init__(self, rtt_s: float) -> None:
        self._at = 0 if rtt_s < _NEAR_S else 1
        self._last, self._last_s = Counts(), 0.0

    @property
    def level(self) -> Level:
        """What pays now."""
        return LEVELS[self._at]

    def look(self, counts: Counts, now_s: float) -> bool:
        """Take the figures of this moment into account; return whether the level changed."""
        if counts.chunks_up - self._last.chunks_up < _CHUNKS:
            self._last_s = self._last_s or now_s
            return False
        reading_s = counts.reading_s - self._last.reading_s
        total_s = reading_s + counts.sending_s - self._last.sending_s
        rate = (counts.bytes_up - self._last.bytes_up) / max(now_s - self._last_s, 1e-9)
        self._last, self._last_s = counts, now_s
        before = self._at
        share = reading_s / total_s if total_s else 0.0
        if share > _BUSY or rate > self.level.fastest_bytes_per_s:
            self._at = max(self._at - 1, 0)
        elif share < _IDLE and self._at + 1 < len(LEVELS):
            self._at += rate < LEVELS[self._at + 1].fastest_bytes_per_s
        return self._at != before
