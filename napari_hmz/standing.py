"""Where a run stands: what it does or waits for, how fast it goes, when it will be done.

The backend knows whether a run waits for chunks; only the process that sends them knows whether
that is for the link or for the disk. Both are put together here, for every interface.

Threads: a gauge may be read by one thread while another lets it note what the backend tells.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from napari_hmz.schema import Event, Progress, Progressed, RunState, StateChanged

SPAN_S = 15.0
SAMPLED_S = 0.5
Doing = Literal[
    "queue", "engine", "link", "reading", "image", "computing", "joining",
    "done", "failed", "cancelled",
]  # fmt: skip # what is awaited, then what is done, then the ends
WORDS: dict[Doing, str] = {
    "queue": "waiting for the server (queue)",
    "engine": "waiting for the server (engine)",
    "link": "waiting for the link",
    "reading": "reading the image",
    "image": "waiting for the image",
    "computing": "computing",
    "joining": "joining labels",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


class Counts(Protocol):
    """What has travelled up to one moment; `napari_hmz.transfer.Traffic.counts` is one."""

    @property
    def bytes_up(self) -> int:
        """Encoded bytes that were sent."""

    @property
    def bytes_down(self) -> int:
        """Encoded bytes that were fetched."""

    @property
    def reading_s(self) -> float:
        """Seconds that the sending threads have spent reading the image."""

    @property
    def sending_s(self) -> float:
        """Seconds that they have spent waiting for the link."""


class Carrier(Protocol):
    """Counts what travels for a run."""

    @property
    def counts(self) -> Counts:
        """All figures of one moment."""

    @property
    def lack(self) -> str:
        """Why nothing of the image can travel from here, and what helps; empty if it can."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands at one moment, as seen from this process.

    Parameters
    ----------
    doing
        What it does, or what it waits for: `image` is one that another process sends.
    blocks_done, blocks_total, voxels_done
        How far it is.
    voxels_per_s
        How fast blocks get done; 0 while none does, none before it is known.
    bytes_up, bytes_down
        Encoded, by this process.
    bytes_up_per_s, bytes_down_per_s
        Over the last quarter of a minute.
    seconds_left
        By the slower of link and engine; none while nobody can tell.
    position
        Its place in the backend's queue, 1 is next; 0 while it does not wait there.
    wait_s
        How long until its turn; none while nobody can tell.
    lack
        While it waits for its image: why this process cannot send that, and what helps.
    """

    doing: Doing
    blocks_done: int = 0
    blocks_total: int = 0
    voxels_done: int = 0
    voxels_per_s: float | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    bytes_up_per_s: float = 0.0
    bytes_down_per_s: float = 0.0
    seconds_left: float | None = None
    position: int = 0
    wait_s: float | None = None
    lack: str = ""

    @property
    def words(self) -> str:
        """What the run does or waits for, as people say it."""
        if self.doing == "queue" and self.position:
            return f"waiting in the queue (place {self.position})"
        return WORDS[self.doing]

    def document(self) -> dict[str, object]:
        """Return all of it for machines."""
        return asdict(self)


@dataclass
class Gauge:
    """Reads where a run stands, from what the backend tells and what this process carries.

    Parameters
    ----------
    traffic
        Counts what is carried.
    clock
        Seconds that only go forward.
    """

    traffic: Carrier
    clock: Callable[[], float] = time.monotonic
    state: RunState = "queued"
    progress: Progress = field(default_factory=Progress)
    _seen: deque[tuple[float, Counts]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, event: Event) -> bool:
        """Take in what the backend tells; False if it says nothing of where the run stands."""
        if isinstance(event, StateChanged):
            self.state = event.state
        elif isinstance(event, Progressed):
            self.progress = event.progress
        return isinstance(event, StateChanged | Progressed)

    def standing(self) -> Standing:
        """Return where the run stands now."""
        now_s, counts, progress = self.clock(), self.traffic.counts, self.progress
        began_s, before = self._sample(now_s, counts)
        elapsed_s, doing = max(now_s - began_s, 1.0), self._doing(before, counts)
        return Standing(
            doing=doing,
            blocks_done=progress.blocks_done,
            blocks_total=progress.blocks_total,
            voxels_done=progress.voxels_done,
            voxels_per_s=progress.voxels_per_s,
            bytes_up=counts.bytes_up,
            bytes_down=counts.bytes_down,
            bytes_up_per_s=(counts.bytes_up - before.bytes_up) / elapsed_s,
            bytes_down_per_s=(counts.bytes_down - before.bytes_down) / elapsed_s,
            seconds_left=progress.seconds_left if self.state == "running" else None,
            position=progress.position,
            wait_s=progress.wait_s,
            lack=self.traffic.lack if doing == "image" else "",
        )

    def _sample(self, now_s: float, counts: Counts) -> tuple[float, Counts]:
        """Keep a sample for later, and return the oldest one that counts."""
        with self._lock:
            if not self._seen or now_s - self._seen[-1][0] >= SAMPLED_S:
                self._seen.append((now_s, counts))
            while len(self._seen) > 1 and now_s - self._seen[0][0] > SPAN_S:
                self._seen.popleft()
            return self._seen[0]

    def _doing(self, before: Counts, counts: Counts) -> Doing:
        if self.state == "queued":
            return "queue"
        if self.state != "running":
            return self.state
        if self.progress.waiting_for != "chunks":
            return self.progress.waiting_for or "computing"
        reading_s = counts.reading_s - before.reading_s
        sending_s = counts.sending_s - before.sending_s
        if not reading_s and not sending_s:
            return "image"
        return "reading" if reading_s > sending_s else "link"


def standing_of(state: RunState, progress: Progress) -> Standing:
    """Return where a run stands that this process carries nothing for."""
    return Gauge(_Nothing(), state=state, progress=progress).standing()


@dataclass(frozen=True, slots=True)
class _Nothing:
    bytes_up: int = 0
    bytes_down: int = 0
    reading_s: float = 0.0
    sending_s: float = 0.0
    lack: str = ""

    @property
    def counts(self) -> Counts:
        return self
