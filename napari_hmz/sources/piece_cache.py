"""A bounded cache of the pieces in which a format stores its data.

A stack stored plane by plane, read in blocks, would decode each plane once per block. Here
every piece is decoded once as long as it stays in the cache; threads that want the same
piece wait for the one that decodes it, and all wait while those that are being decoded fill
their part.
"""

import itertools
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.memory import DEFAULT_BYTES
from napari_hmz.sources.pixels import Box, Pieces, Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES_BYTES = DEFAULT_BYTES // 2
"""What a source holds of its pieces, unless it is told otherwise."""

_DECODED_AT_ONCE = 1 / 4
"""Of the limit: more would only push out what is needed next."""


class CachedPixels:
    """Pixels whose pieces are decoded whole and kept, the least used dropped first.

    Parameters
    ----------
    pixels
        Must have `pieces`.
    limit_bytes
        The most that pieces take, those that are being decoded included.
    """

    def __init__(self, pixels: Pixels, limit_bytes: int = PIECES_BYTES) -> None:
        if pixels.pieces is None:
            raise ValueError("pixels without pieces need no cache")
        self._pixels = pixels
        self._pieces: Pieces = pixels.pieces
        self._starts = [np.cumsum((0, *extents)) for extents in pixels.pieces]
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        self._kept_bytes = self._decoding_bytes = 0
        self._wanted: Counter[tuple[int, ...]] = Counter()
        """By how many readers under way, which have not come to it yet."""
        self._guard = threading.Condition()
        self._ongoing: dict[tuple[int, ...], Future[NDArray[Any]]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return self._pixels.shape

    @property
    def dtype(self) -> "np.dtype[Any]":
        """As stored."""
        return self._pixels.dtype

    @property
    def pieces(self) -> Pieces | None:
        """How the data are stored."""
        return self._pieces

    @property
    def kept_bytes(self) -> int:
        """What the cache holds now."""
        return self._kept_bytes

    def read(self, box: Box) -> "NDArray[Any]":
        """Return the voxels of `box`, put together from pieces."""
        out = np.empty([part.stop - part.start for part in box], self.dtype)
        left = list(self._touched(box))[::-1]
        with self._guard:
            self._wanted.update(left)
        try:
            while left:
                piece = self._piece(left[-1])
                inside, target = self._overlap(left[-1], box)
                out[target] = piece[inside]
                self._let_go([left.pop()])
        finally:
            self._let_go(left)
        return out

    def close(self) -> None:
        """Drop everything and close the file."""
        with self._guard:
            self._kept.clear()
            self._kept_bytes = 0
        self._pixels.close()

    def _let_go(self, indices: list[tuple[int, ...]]) -> None:
        """Count pieces as wanted by one reader less."""
        with self._guard:
            self._wanted.subtract(indices)
            for index in indices:
                if not self._wanted[index]:
                    del self._wanted[index]

    def _touched(self, box: Box) -> Iterator[tuple[int, ...]]:
        ranges = []
        for part, starts in zip(box, self._starts, strict=True):
            first = int(np.searchsorted(starts, part.start, side="right")) - 1
            end = int(np.searchsorted(starts, part.stop, side="left"))
            ranges.append(range(first, max(end, first)))
        return itertools.product(*ranges)

    def _overlap(self, index: tuple[int, ...], box: Box) -> tuple[Box, Box]:
        inside, target = [], []
        for at, starts, part in zip(index, self._starts, box, strict=True):
            start, stop = max(starts[at], part.start), min(starts[at + 1], part.stop)
            inside.append(slice(start - starts[at], stop - starts[at]))
            target.append(slice(start - part.start, stop - part.start))
        return tuple(inside), tuple(target)

    def _piece(self, index: tuple[int, ...]) -> "NDArray[Any]":
        own: Future[NDArray[Any]] = Future()
        with self._guard:
            held = self._kept.get(index)
            if held is not None:
                self._kept.move_to_end(index)
                return held
            first = self._ongoing.setdefault(index, own)
        if first is not own:
            return first.result()
        try:
            own.set_result(self._decoded(index))
        except BaseException as error:
            own.set_exception(error)  # for those who wait for the same piece
            raise
        finally:
            with self._guard:
                del self._ongoing[index]
        return own.result()

    def _decoded(self, index: tuple[int, ...]) -> "NDArray[Any]":
        box = tuple(
            slice(int(starts[at]), int(starts[at + 1]))
            for at, starts in zip(index, self._starts, strict=True)
        )
        size_bytes = math.prod(part.stop - part.start for part in box) * self.dtype.itemsize
        self._make_room(size_bytes)
        piece = None
        try:
            piece = self._pixels.read(box)
        finally:
            with self._guard:
                self._decoding_bytes -= size_bytes
                if piece is not None and size_bytes <= self._limit_bytes:
                    self._kept[index] = piece
                    self._kept_bytes += piece.nbytes
                self._guard.notify_all()
        return piece

    def _make_room(self, size_bytes: int) -> None:
        """Wait until few enough are being decoded, and drop what was used least lately.

        What a reader under way still comes to is dropped last: a thread that is held up finds it.
        """
        share_bytes = self._limit_bytes * _DECODED_AT_ONCE
        with self._guard:
            self._guard.wait_for(
                lambda: (
                    self._decoding_bytes == 0 or self._decoding_bytes + size_bytes <= share_bytes
                )
            )
            self._decoding_bytes += size_bytes
            while self._kept and self._kept_bytes + self._decoding_bytes > self._limit_bytes:
                idle = (index for index in self._kept if index not in self._wanted)
                dropped = self._kept.pop(next(idle, next(iter(self._kept))))
                self._kept_bytes -= dropped.nbytes
