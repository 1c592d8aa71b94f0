"""Decoded chunks, kept as long as a stated number of bytes allows.

Threads: any number may ask at once; a chunk that several want is made once, the others wait.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Chunk = NDArray[Any]


@dataclass
class ChunkCache:
    """Least recently used chunks go first.

    Parameters
    ----------
    limit_bytes
        What all kept chunks together may take; 0 keeps none.
    """

    limit_bytes: int
    _kept: "OrderedDict[Hashable, Chunk]" = field(default_factory=OrderedDict)
    _making: "dict[Hashable, Future[Chunk]]" = field(default_factory=dict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def held_bytes(self) -> int:
        """What the kept chunks take."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], Chunk]) -> Chunk:
        """Return the chunk of this key, made by `make` if need be; it must not be changed."""
        with self._lock:
            chunk = self._kept.get(key)
            if chunk is not None:
                self._kept.move_to_end(key)
                return chunk
            waiting = self._making.get(key)
            if waiting is None:
                mine: Future[Chunk] = Future()
                self._making[key] = mine
        return waiting.result() if waiting is not None else self._make(key, make, mine)

    def put(self, key: Hashable, chunk: Chunk) -> None:
        """Keep a chunk that is at hand already."""
        with self._lock:
            self._drop(key)
            self._kept[key] = chunk
            self._bytes += chunk.nbytes
            while self._bytes > self.limit_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.nbytes

    def drop(self, key: Hashable) -> None:
        """Forget a chunk."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= 0 if old is None else old.nbytes

    def _make(self, key: Hashable, make: Callable[[], Chunk], mine: "Future[Chunk]") -> Chunk:
        try:
            chunk = make()
        except BaseException as error:  # whoever waits for the chunk is told as well
            mine.set_exception(error)
            raise
        else:
            self.put(key, chunk)
            mine.set_result(chunk)
            return chunk
        finally:
            with self._lock:
                self._making.pop(key, None)
