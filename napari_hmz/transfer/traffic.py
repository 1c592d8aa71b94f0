"""What has travelled: counted by the threads that carry it, read by whoever shows it."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Chunks and their encoded bytes, up and down; `absent` were announced and not sent."""

    chunks_up: int = 0
    bytes_up: int = 0
    absent_up: int = 0
    chunks_down: int = 0
    bytes_down: int = 0


class Traffic:
    """Counts from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """All figures of one moment."""
        return self._counts

    @property
    def bytes_up(self) -> int:
        """Encoded bytes of the chunks that were sent."""
        return self._counts.bytes_up

    @property
    def chunks_up(self) -> int:
        """How many chunks were sent."""
        return self._counts.chunks_up

    @property
    def bytes_down(self) -> int:
        """Encoded bytes of the chunks that were fetched."""
        return self._counts.bytes_down

    @property
    def chunks_down(self) -> int:
        """How many chunks were fetched."""
        return self._counts.chunks_down

    def sent(self, size_bytes: int) -> None:
        """Count a chunk that arrived at the backend."""
        self._add(chunks_up=1, bytes_up=size_bytes)

    def announced_absent(self, chunks: int) -> None:
        """Count chunks that are fill value and were not sent."""
        self._add(absent_up=chunks)

    def fetched(self, size_bytes: int) -> None:
        """Count a chunk that came from the backend."""
        self._add(chunks_down=1, bytes_down=size_bytes)

    def _add(self, **more: int) -> None:
        with self._lock:
            now = self._counts
            figures = {name: getattr(now, name) for name in Counts.__slots__}
            self._counts = Counts(**{n: v + more.get(n, 0) for n, v in figures.items()})
