"""Chunks on their way to the disk, for whoever wants to look at them, too.

What is written here and shown at the same time is fetched once: whoever shows it reads it from the
disk. A final chunk that has been told of comes soon, so it is waited for.

Threads: `take` is called from those that fetch, `read` from the one that shows.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from napari_hmz.schema import ChunkDone
from napari_hmz.transfer import FetchedChunk

PATIENCE_S = 10.0
"""A chunk that has not come by then is fetched once more: better twice than late."""
_LOOK_S = 0.2  # nobody calls when the last chunk will never come


class Shelf(Protocol):
    """Where the chunks lie once they have come."""

    def wants(self, done: ChunkDone, /) -> bool:
        """Return whether a chunk that is done is still to come."""

    def take(self, chunk: FetchedChunk, /) -> None:
        """Write a chunk."""

    def read(self, done: ChunkDone, /) -> NDArray[Any] | None:
        """Return a chunk that lies there; None if it does not."""


class Arrivals:
    """The chunks that come for one run.

    Parameters
    ----------
    shelf
        Takes them.
    is_over
        Whether no more will come.
    """

    def __init__(self, shelf: Shelf, is_over: Callable[[], bool]) -> None:
        self._shelf, self._is_over = shelf, is_over
        self._came = threading.Condition()

    def take(self, chunk: FetchedChunk, /) -> None:
        """Put a chunk down, and let those know who wait for it."""
        self._shelf.take(chunk)
        with self._came:
            self._came.notify_all()

    def read(self, done: ChunkDone) -> NDArray[Any] | None:
        """Return a chunk once it has come; None if it does not come here."""
        deadline = time.monotonic() + PATIENCE_S
        while done.final and self._shelf.wants(done):
            if self._is_over() or time.monotonic() > deadline:
                break
            with self._came:
                self._came.wait(_LOOK_S)
        return self._shelf.read(done) if done.final else None
