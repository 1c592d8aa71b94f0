"""How much a link carries: learnt while it is full, remembered for the plans of later runs."""

import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from napari_hmz.whole_file import write_whole

WINDOW_S = 1.0
LEAST_CHUNKS = 4
LEAST_WINDOWS = 3
KEPT_WINDOWS = 8
_BUSY = 0.9


class Sent(Protocol):
    """What has been sent up to one moment; `napari_hmz.transfer.Traffic.counts` is one."""

    @property
    def bytes_up(self) -> int:
        """Encoded bytes that were sent."""

    @property
    def reading_s(self) -> float:
        """Seconds that the sending threads have spent reading the image."""

    @property
    def sending_s(self) -> float:
        """Seconds that they have spent waiting for the link."""


@dataclass
class LinkMeter:
    """The rate of a link, from the times in which something was always on its way.

    A link that waits for a slow disk, or for a backend that wants nothing, says nothing of
    itself: such times are left out. Of the times that count the best one does: a backend that
    was busy looks like a slow link.
    """

    _full: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_WINDOWS))
    _chunks: int = 0
    _from_s: float | None = None
    _before: Sent | None = None

    @property
    def bytes_per_s(self) -> float | None:
        """What the link carries; none before it was full for some time."""
        return max(self._full) if len(self._full) >= LEAST_WINDOWS else None

    def note(self, now_s: float, sent: Sent) -> None:
        """Note what has been sent by now: one more chunk."""
        self._chunks += 1
        if self._from_s is None or self._before is None:
            self._begin(now_s, sent)
            return
        elapsed_s = now_s - self._from_s
        if elapsed_s < WINDOW_S or self._chunks < LEAST_CHUNKS:
            return
        sending_s = sent.sending_s - self._before.sending_s
        reading_s = sent.reading_s - self._before.reading_s
        if sending_s >= _BUSY * elapsed_s and sending_s >= 2 * reading_s:
            self._full.append((sent.bytes_up - self._before.bytes_up) / elapsed_s)
        self._begin(now_s, sent)

    def _begin(self, now_s: float, sent: Sent) -> None:
        self._from_s, self._before, self._chunks = now_s, sent, 0


@dataclass(frozen=True, slots=True)
class LinkRates:
    """What the links to backends have carried, in one small file of this user.

    Parameters
    ----------
    file
        Made when the first rate is kept.
    """

    file: Path

    def get(self, url: str) -> float | None:
        """Return the bytes per second to a backend; none if it has not been measured."""
        rate = self._all().get(url)
        return float(rate) if isinstance(rate, int | float) and rate > 0 else None

    def put(self, url: str, bytes_per_s: float | None) -> None:
        """Keep what was measured, if anything was; a full disk is no reason to fail."""
        if bytes_per_s is None:
            return
        with suppress(OSError):
            content = json.dumps({**self._all(), url: round(bytes_per_s)})
            write_whole(self.file, content.encode())

    def _all(self) -> Mapping[str, object]:
        try:
            found = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
