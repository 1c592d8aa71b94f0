"""What has travelled: counted by the threads that carry it, read by whoever shows it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from napari_hmz.errors import HmzError
from napari_hmz.link_rate import LinkMeter


@dataclass(frozen=True, slots=True)
class Counts:
    """Chunks and their encoded bytes, up and down; `absent` were announced and not sent.

    `reading_s` and `sending_s` are what the sending threads have spent on each chunk's way, summed
    over the threads and up to this moment: reading (and encoding) the image, or waiting for the
    link. Whichever grows faster is what the upload waits for.
    """

    chunks_up: int = 0
    bytes_up: int = 0
    absent_up: int = 0
    chunks_down: int = 0
    bytes_down: int = 0
    reading_s: float = 0.0
    sending_s: float = 0.0


@dataclass
class Meter:
    """Seconds that threads have spent at something, those that are at it now included."""

    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _spent_s: float = 0.0
    _since_s: float = 0.0
    _threads: int = 0

    @property
    def spent_s(self) -> float:
        """Seconds up to now, summed over the threads."""
        with self._lock:
            self._advance()
            return self._spent_s

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the calling thread as being at it."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, threads: int) -> None:
        with self._lock:
            self._advance()
            self._threads += threads

    def _advance(self) -> None:
        now_s = self.clock()
        self._spent_s += self._threads * (now_s - self._since_s)
        self._since_s = now_s


class Traffic:
    """Counts from many threads.

    Parameters
    ----------
    lack
        Why nothing of the image can travel from here; None if it can.
    """

    def __init__(self, lack: HmzError | None = None) -> None:
        self.lack = "" if lack is None else f"{lack.detail} {lack.remedy}".strip()
        """The same in words; empty if it can."""
        self.reading = Meter()
        """Runs while a chunk to be sent is read and encoded."""
        self.sending = Meter()
        """Runs while a chunk is on its way up."""
        self._lock = threading.Lock()
        self._counts = Counts()
        self._link = LinkMeter()

    @property
    def counts(self) -> Counts:
        """All figures of one moment."""
        return replace(self._counts, reading_s=self.reading.spent_s, sending_s=self.sending.spent_s)

    @property
    def link_bytes_per_s(self) -> float | None:
        """What the link carries while it is full; none if it never was."""
        return self._link.bytes_per_s

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
        with self._lock:
            self._link.note(time.monotonic(), self.counts)

    def announced_absent(self, chunks: int) -> None:
        """Count chunks that are fill value and were not sent."""
        self._add(absent_up=chunks)

    def fetched(self, size_bytes: int) -> None:
        """Count a chunk that came from the backend."""
        self._add(chunks_down=1, bytes_down=size_bytes)

    def _add(self, **more: int) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(now, **{n: getattr(now, n) + v for n, v in more.items()})
