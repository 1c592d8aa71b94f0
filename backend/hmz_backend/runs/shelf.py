"""Which volumes are open, how much room each has, and which may go.

```
closed ── open ──> open ── unused for a while ──> closed ── time to live, or room needed ──> gone
                    └── used by a run, or lately: protected, its room is reserved ──┘
```

A volume that is gone is announced as before: its chunks are wanted again. Runs on the event loop.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Set
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field
from typing import Literal

from hmz_backend.runs.holdings import Holdings
from hmz_backend.runs.open_volume import OpenVolume
from hmz_backend.runs.threads import in_thread
from hmz_backend.stores.staging import StagingArea
from napari_hmz.errors import DiskFull, QuotaExceeded
from napari_hmz.schema import VolumeRequest

Mode = Literal["staged", "stream"]
GRACE_S = 600.0  # from an announcement to the run: the client may take statistics meanwhile
TOUCH_S = 60.0  # how far the time of the last use on disk may lag behind


def nobody_asks(_volume: str) -> None:
    """Do nothing."""


@dataclass
class Shelf:
    """Opens volumes once, and deletes those that nobody needs.

    Parameters
    ----------
    staging
        Where chunks are.
    threads
        Where folders are looked at, and deleted.
    stream_bytes
        What one streamed volume may hold at a time; at most what there is room for.
    grace_s
        How long a volume is protected after its last use.
    clock
        Seconds since 1970.
    holdings
        Whose each volume is.
    on_removed
        Told of each volume whose chunks are gone.
    """

    staging: StagingArea
    threads: Threads
    stream_bytes: int
    grace_s: float = GRACE_S
    clock: Callable[[], float] = time.time
    holdings: Holdings = field(default_factory=Holdings)
    on_removed: Callable[[str], None] = nobody_asks
    _users: Counter[str] = field(default_factory=Counter)
    _open: "dict[str, asyncio.Future[OpenVolume]]" = field(default_factory=dict)
    _going: "dict[str, asyncio.Future[None]]" = field(default_factory=dict)

    async def open(self, volume: str, request: VolumeRequest) -> OpenVolume:
        """Return a volume; the first time, its folder is looked at."""
        while volume in self._going:
            await asyncio.shield(self._going[volume])
        there = self._open.get(volume)
        if there is None:
            there = self._open[volume] = asyncio.ensure_future(self._look(volume, request))
        try:
            opened = await asyncio.shield(there)
        except Exception:
            self._open.pop(volume, None)
            raise
        self.touch(opened)
        return opened

    def at_hand(self, volume: str) -> OpenVolume | None:
        """Return a volume if it is open."""
        there = self._open.get(volume)
        return there.result() if there is not None and _is_open(there) else None

    def in_use(self, volume: str) -> OpenVolume:
        """Return a volume that a run uses, and that is open for that reason."""
        return self._open[volume].result()

    def opened(self) -> Iterator[OpenVolume]:
        """Yield all volumes that are open."""
        yield from (there.result() for there in list(self._open.values()) if _is_open(there))

    def touch(self, opened: OpenVolume) -> None:
        """Note that a volume is used now."""
        opened.used_at_s = self.clock()
        if opened.used_at_s - opened.told_at_s > TOUCH_S:
            opened.told_at_s = opened.used_at_s
            self.staging.touch(opened.staged.folder.name)

    def use(self, volume: str) -> None:
        """Count a run that has not ended: its volume stays."""
        self._users[volume] += 1

    def leave(self, volume: str) -> None:
        """Count a run that has ended no longer."""
        self._users[volume] -= 1
        if not self._users[volume]:
            del self._users[volume]
        opened = self.at_hand(volume)
        if opened is not None:
            self.touch(opened)

    def is_used(self, volume: str) -> bool:
        """Return whether a run that has not ended uses a volume."""
        return volume in self._users

    def is_protected(self, volume: str) -> bool:
        """Return whether a volume must stay: it is used, or was a moment ago."""
        if volume in self._users:
            return True
        there = self._open.get(volume)
        if there is not None and not _is_open(there):
            return True
        used_at_s = there.result().used_at_s if there else self.staging.used_at_s(volume)
        return self.clock() - used_at_s < self.grace_s

    def settle(self, volume: str, asked: Mode) -> Mode:
        """Decide whether an open volume is held as a whole, or passes through; runs keep theirs.

        Raises
        ------
        QuotaExceeded, DiskFull
            If there is not even room for one chunk.
        """
        opened = self.in_use(volume)
        if volume not in self._users:
            room = self._room(volume)
            room_bytes = min(room)
            fits = asked == "staged" and opened.staged.bound_bytes <= room_bytes
            opened.pass_through(None if fits else self._slots(opened, room_bytes))
            if opened.slots == 0:
                opened.used_at_s = 0.0  # nothing is reserved for what is refused
                _refuse(*room)
        return "staged" if opened.slots is None else "stream"

    async def collect(self, volume: str) -> bool:
        """Delete a volume's chunks unless it is protected; return whether they are gone."""
        if self.is_protected(volume) or volume in self._going:
            return False
        await self._delete(volume)
        return True

    async def wipe(self, volume: str) -> None:
        """Delete a volume's chunks, however lately they were used, unless a run uses them."""
        if volume not in self._users and volume not in self._going:
            await self._delete(volume)

    async def _delete(self, volume: str) -> None:
        self._open.pop(volume, None)
        self._going[volume] = asyncio.ensure_future(self._take_away(volume))
        await asyncio.shield(self._going[volume])

    async def _take_away(self, volume: str) -> None:
        try:
            await in_thread(self.threads, self.staging.remove, volume)
            self.on_removed(volume)
        finally:
            del self._going[volume]  # before this is done: who waits for it would never yield

    async def collect_oldest(self, among: Set[str] | None = None) -> bool:
        """Delete the chunks of the volume that was unused for longest; False if all are used.

        Parameters
        ----------
        among
            Only one of these; none: of all.
        """
        sizes = await in_thread(self.threads, self.staging.volumes)
        held = [name for name, size in sizes.items() if size and (among is None or name in among)]
        used = {volume: self.staging.used_at_s(volume) for volume in held}
        for volume in sorted(used, key=lambda name: used[name]):
            if await self.collect(volume):
                return True
        return False

    async def collect_unused(self, ttl_s: float, fleeting: Collection[str] = ()) -> list[str]:
        """Delete the chunks of volumes unused for `ttl_s` and name them; close idle volumes.

        Those of `fleeting` go as soon as they are not protected.
        """
        gone = []
        for volume in await in_thread(self.threads, self.staging.volumes):
            there = self.at_hand(volume)
            used_at_s = there.used_at_s if there else self.staging.used_at_s(volume)
            is_due = volume in fleeting or self.clock() - used_at_s > ttl_s
            if is_due and await self.collect(volume):
                gone.append(volume)
        for volume in [name for name in self._open if not self.is_protected(name)]:
            del self._open[volume]
        return gone

    async def _look(self, volume: str, request: VolumeRequest) -> OpenVolume:
        staged = await in_thread(self.threads, self.staging.scan, volume, request)
        is_sensitive = request.data_class == "sensitive"
        opened = OpenVolume(staged, self.clock(), is_sensitive=is_sensitive)
        if request.mode == "stream":
            opened.pass_through(max(1, self._slots(opened, min(self._room(volume)))))
        return opened

    def _slots(self, opened: OpenVolume, room_bytes: float) -> int:
        return max(0, int(min(self.stream_bytes, room_bytes)) // opened.staged.chunk_bytes)

    def own_room_bytes(self, volume: str) -> float:
        """Return what is left of its person's part for more chunks of a volume."""
        return self.holdings.left_bytes(volume, self.staging.volumes())

    def _room(self, besides: str) -> tuple[float, float, float]:
        """Return what quota, disk and person's part have, if all that is not protected goes."""
        held = self.staging.volumes()
        kept = {name for name in {*held, *self._open} if name != besides}
        kept = {name for name in kept if self.is_protected(name)}
        reserved = {name: self._reserved(name, held) for name in kept}
        free_bytes = self.staging.disk_room_bytes() + sum(held.values())
        taken_bytes = sum(reserved.values())
        return (
            self.staging.quota_bytes - taken_bytes,
            free_bytes - taken_bytes,
            self.holdings.left_bytes(besides, reserved),
        )

    def _reserved(self, volume: str, held: dict[str, int]) -> int:
        opened = self.at_hand(volume)
        return held.get(volume, 0) if opened is None else opened.reserved_bytes


def _is_open(there: "asyncio.Future[OpenVolume]") -> bool:
    return there.done() and not there.cancelled() and there.exception() is None


def _refuse(quota_bytes: float, disk_bytes: float, own_bytes: float) -> None:
    if own_bytes < min(quota_bytes, disk_bytes):
        raise QuotaExceeded(
            "Your images leave no room for a chunk of this one.",
            remedy="Try again when other runs of yours have ended, or ask the admin for more room.",
        )
    remedy = "Try again when other runs have ended, or ask the backend's admin for more room."
    if disk_bytes < quota_bytes:
        raise DiskFull("The backend's disk has no room for a chunk of this image.", remedy=remedy)
    raise QuotaExceeded("The staging area has no room for a chunk of this image.", remedy=remedy)
