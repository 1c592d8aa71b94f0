"""The labels of tiles: a few opened ones at hand, all of them in files until they are compared."""

from collections import OrderedDict
from dataclasses import dataclass, field

from hmz_backend.runs.labelling import LabelWork
from hmz_backend.stitching.bands import TileLabels

BYTES_AT_HAND = 16 << 20


@dataclass
class TileShelf:
    """A `Shelf` over the files that block tasks have written. One thread at a time.

    Parameters
    ----------
    work
        The output's labels.
    bytes_at_hand
        How much opened tiles may take, as runs.
    """

    work: LabelWork
    bytes_at_hand: int = BYTES_AT_HAND
    dropped: list[int] = field(default_factory=list)
    """Tiles that nobody will ask for again; their files are there until `clear`."""
    _hand: "OrderedDict[int, TileLabels]" = field(default_factory=OrderedDict)
    _bytes: int = 0

    def put(self, block: int, tile: TileLabels) -> None:
        """Take a tile whose file is there already."""
        self._hand[block] = tile
        self._bytes += tile.nbytes
        while self._bytes > self.bytes_at_hand and len(self._hand) > 1:
            self._close(next(iter(self._hand)))

    def take(self, block: int) -> TileLabels:
        """Return a tile, from its file if need be."""
        if block not in self._hand:
            self.put(block, self.work.tile(block))
        self._hand.move_to_end(block)
        return self._hand[block]

    def drop(self, block: int) -> None:
        """Forget a tile; its file goes with the next `clear`."""
        self.dropped.append(block)
        if block in self._hand:
            self._close(block)

    def clear(self) -> None:
        """Delete the files of dropped tiles."""
        for block in self.dropped:
            self.work.drop(block)
        self.dropped.clear()

    def _close(self, block: int) -> None:
        self._bytes -= self._hand.pop(block).nbytes
