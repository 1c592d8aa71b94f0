"""Volumes: announced once, filled chunk by chunk, and told which chunks runs wait for."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field
from uuid import uuid4

from hmz_backend.access.known import KnownRights
from hmz_backend.access.rights import Right, check_right
from hmz_backend.audit.entry import Entry
from hmz_backend.audit.trail import recording
from hmz_backend.database.access import Database
from hmz_backend.dispatch.window import Window
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import records
from hmz_backend.runs.announcing import check_announcement, merged
from hmz_backend.runs.bell import wait_for
from hmz_backend.runs.clock import now
from hmz_backend.runs.open_volume import Demand, OpenVolume
from hmz_backend.runs.sharing import Sharing
from hmz_backend.runs.shelf import Shelf
from hmz_backend.runs.threads import in_thread
from hmz_backend.shares.turn import Share, Turn, holder_of
from hmz_backend.stores.cache import ChunkCache
from hmz_backend.stores.grid import Index
from hmz_backend.stores.reader import VolumeReader
from hmz_backend.stores.staged import StagedVolume
from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge, DiskFull, QuotaExceeded
from napari_hmz.schema import Absent, Volume, VolumeRequest, Wanted
from napari_hmz.schema.digest import named_sha256

log = logging.getLogger(__name__)
LEAST_CREDIT, MOST_CREDIT = 4, 64
WANTED_PER_CREDIT = 2  # so that the client has the next keys at hand while the last ones travel
MOST_WANTED = 512  # where one chunk after the other turns out to be fill value


@dataclass
class Volumes:
    """All volumes of this backend. Runs on the event loop; files are handled in threads.

    Parameters
    ----------
    database, shelf, cache
        Where they are kept.
    threads
        Where chunks are decoded and written.
    credit_bytes
        Decoded size of the chunks that a client may have under way.
    decoding
        How many chunks are handled at a time: people take fair turns here, too.
    is_encrypted
        Whether the disks are: else images that are declared sensitive are refused.
    known
        Rights that were found lately, of runs, too.
    """

    database: Database
    shelf: Shelf
    cache: ChunkCache
    threads: Threads
    credit_bytes: int
    decoding: Window
    is_encrypted: bool
    known: KnownRights = field(default_factory=KnownRights)
    sharing: Sharing = field(init=False)
    _chores: "set[asyncio.Task[object]]" = field(default_factory=set)

    def __post_init__(self) -> None:
        """Let owners share their volumes."""
        self.sharing = Sharing(self.database, self.known, records.find_volume, "volume")

    async def start(self) -> None:
        """Learn whose the volumes are that are there."""
        for volume, holder in await self.database.read(records.volume_holders):
            self.shelf.holdings.add(volume, holder)

    async def announce(self, owner: Principal, request: VolumeRequest) -> Volume:
        """Return the volume for this announcement: the one that is there, or a new one.

        One that cannot be held as a whole becomes a stream, unless a run uses it already.

        Raises
        ------
        VolumeEmpty, SourceUnreadable, AddressRefused, DataRefused
            If it cannot be accepted.
        Conflict
            If the fingerprint is that of a volume of another shape.
        QuotaExceeded, DiskFull
            If there is no room for a single chunk, before anything is sent.
        """
        check_announcement(request, is_encrypted=self.is_encrypted)
        row = await self.database.read(
            lambda c: records.find_fingerprint(c, owner, request.fingerprint)
        )
        known = None if row is None else VolumeRequest.model_validate_json(row.request)
        volume = uuid4().hex if row is None else row.id
        kept = request if known is None else merged(known, request)
        self.shelf.holdings.add(volume, holder_of(owner.issuer, owner.subject))
        opened = await self.shelf.open(volume, kept)
        opened.is_sensitive = kept.data_class == "sensitive"
        kept = kept.model_copy(update={"mode": self.shelf.settle(volume, request.mode)})
        at = now() if row is None else row.created_at
        if known is None:
            act = Entry("volume.created", owner, thing=volume, data=kept.fingerprint)
            await self.database.write(
                lambda c: records.add_volume(c, owner, volume, kept, at), last=recording(act)
            )
        elif kept != known:
            await self.database.write(lambda c: records.change_volume(c, volume, kept))
        return _described(volume, kept, opened.staged, at)

    async def get(self, caller: Principal, volume: str) -> Volume:
        """Return a volume that the caller may see; raises as `check_right`."""
        request, at = await self._found(caller, volume, Right.READ)
        opened = await self.shelf.open(volume, request)
        return _described(volume, request, opened.staged, at)

    async def request(self, caller: Principal, volume: str) -> VolumeRequest:
        """Return how a volume was announced that the caller may use; raises as `check_right`."""
        return (await self._found(caller, volume, Right.READ))[0]

    async def open(self, caller: Principal, volume: str) -> StagedVolume:
        """Return the chunks of a volume for a caller who sends some; raises as `check_right`."""
        opened, right = self.shelf.at_hand(volume), self.known.get(caller, volume)
        if opened is None or right is None:
            request, _ = await self._found(caller, volume, Right.CONTINUE)
            opened = await self.shelf.open(volume, request)
        else:
            check_right(right, Right.CONTINUE, "volume")
        self.shelf.touch(opened)
        return opened.staged

    async def open_trusted(self, volume: str, request: VolumeRequest) -> StagedVolume:
        """Return the chunks of a volume whose owner has been checked before."""
        return (await self.shelf.open(volume, request)).staged

    def reader(self, volume: str, staged: StagedVolume) -> VolumeReader:
        """Return what reads regions of a volume."""
        return VolumeReader(volume, staged, self.cache)

    def slots(self, volume: str) -> int | None:
        """Return how many chunks of a streamed volume are held at a time; none: all of them."""
        opened = self.shelf.at_hand(volume)
        return None if opened is None else opened.slots

    async def put_chunk(
        self,
        staged: StagedVolume,
        volume: str,
        key: str,
        body: bytes,
        content_digest: str | None = None,
    ) -> None:
        """Check and keep a chunk, and tell the runs that wait for it.

        Of a streamed volume, what nobody waits for any more is checked and let go.

        Parameters
        ----------
        content_digest
            The header that came with the body.

        Raises
        ------
        NotFound, DigestMismatch, ChunkCorrupt, ChunkTooLarge, QuotaExceeded, DiskFull
            The chunk is not kept.
        """
        index = staged.grid.index(key)
        async with self.decoding.place(self._turn(staged, volume)):
            opened = self.shelf.at_hand(volume)
            if opened is None or not opened.takes(index):
                await in_thread(self.threads, staged.decoded, body, content_digest)
                return
            await self._store(staged, volume, key, body, content_digest)
        if opened.slots is not None:
            opened.here[index] = None
        opened.absent_lately //= 2
        if opened.takes(index):
            self._arrived(opened, [index])
        else:  # the run that waited for it has ended meanwhile
            await self._drop(opened, [index])

    def _turn(self, staged: StagedVolume, volume: str) -> Turn:
        share = Share(self.shelf.holdings.holder(volume))
        return Turn(share, voxels=staged.decoder.size)

    async def put_absent(self, staged: StagedVolume, volume: str, absent: Absent) -> None:
        """Note chunks that are fill value, and tell the runs that wait for them."""
        indices = await in_thread(self.threads, self._note_absent, staged, absent)
        opened = self.shelf.at_hand(volume)
        if opened is not None:
            opened.absent_lately = min(opened.absent_lately + len(indices), MOST_WANTED)
            self._arrived(opened, indices)

    async def wanted(self, volume: str, timeout_s: float, first: int = 0) -> Wanted:
        """Return what runs wait for, as soon as there is something, at the latest after a while.

        A volume of which no run needs more is answered at once. `first`: no more is named than what
        the first so many blocks of each run wait for; 0: all.
        """
        opened = self.shelf.at_hand(volume)
        if opened is None:  # closed since the caller opened it: nobody uses it
            return Wanted(keys=(), credit=LEAST_CREDIT, active=self.shelf.is_used(volume))
        ring = opened.bell.next()
        found = await self._wanted(opened, volume, first)
        if not found.keys and found.active and await wait_for(ring, timeout_s):
            found = await self._wanted(opened, volume, first)
        return found

    def use(self, volume: str) -> None:
        """Count a run that has not ended: it may want chunks, if not yet."""
        self.shelf.use(volume)
        self.changed(volume)

    def leave(self, volume: str) -> None:
        """Count a run that has ended no longer; what is sensitive is not kept."""
        self.shelf.leave(volume)
        opened = self.shelf.at_hand(volume)
        if opened is not None and opened.is_sensitive:
            self._do(self.shelf.wipe(volume))
        self.changed(volume)

    def demand(self, volume: str, demand: Demand) -> None:
        """Let a run say which chunks it wants, and hear of those that come."""
        self.shelf.in_use(volume).demands.append(demand)
        self.changed(volume)

    def release(self, volume: str, demand: Demand) -> None:
        """Want nothing for a run any more; what only it has read of a stream is dropped."""
        opened = self.shelf.in_use(volume)
        opened.demands.remove(demand)
        self._do(self._drop(opened, opened.unread()))
        self.changed(volume)

    async def passed(self, volume: str, indices: Iterable[Index]) -> None:
        """Drop chunks of a streamed volume that a run has read for the last time."""
        opened = self.shelf.in_use(volume)
        if opened.slots is not None:
            gone = [index for index in indices if not opened.is_read(index)]
            await self._drop(opened, gone)
            self.changed(volume)

    def changed(self, volume: str) -> None:
        """Wake the clients that ask what is wanted: it may be something else now."""
        opened = self.shelf.at_hand(volume)
        if opened is not None:
            opened.bell.ring()

    def end_polls(self) -> None:
        """Let everyone who waits for something to be wanted go."""
        for opened in self.shelf.opened():
            opened.bell.ring()

    async def close(self) -> None:
        """Wait for what is being deleted."""
        await asyncio.gather(*self._chores)

    async def discard(self, volume: str, staged: StagedVolume, key: str) -> None:
        """Forget a damaged chunk: it is wanted again; one that has been sent anew since is kept."""
        await in_thread(self.threads, self._discard, volume, staged, key)

    def _discard(self, volume: str, staged: StagedVolume, key: str) -> None:
        index = staged.grid.index(key)
        try:
            staged.read(index)
        except (FileNotFoundError, ChunkCorrupt, ChunkTooLarge):
            self.cache.drop((volume, key))
            self.shelf.staging.drop(staged, [index])

    async def _store(
        self, staged: StagedVolume, volume: str, key: str, body: bytes, digest: str | None
    ) -> None:
        """Keep a chunk; for its sake, volumes that nobody uses go, the oldest first."""
        await self._make_own_room(volume, len(body))
        while True:
            try:
                await in_thread(self.threads, self._keep, staged, volume, key, body, digest)
            except (QuotaExceeded, DiskFull):
                if not await self.shelf.collect_oldest():
                    raise
            else:
                return

    async def _make_own_room(self, volume: str, more_bytes: int) -> None:
        """Let other volumes of the same person go, if theirs take too much together."""
        while self.shelf.holdings.most_bytes and self.shelf.own_room_bytes(volume) < more_bytes:
            if not await self.shelf.collect_oldest(self.shelf.holdings.beside(volume)):
                raise QuotaExceeded(
                    f"Images of one person may take {self.shelf.holdings.most_bytes} bytes here."
                )

    def _keep(
        self, staged: StagedVolume, volume: str, key: str, body: bytes, digest: str | None
    ) -> None:
        array = staged.decoded(body, digest)
        self.shelf.staging.put(staged, key, body, named_sha256(digest))
        self.cache.put((volume, key), array)

    def _note_absent(self, staged: StagedVolume, absent: Absent) -> list[Index]:
        indices = [staged.grid.index(key) for key in absent.keys]
        self.shelf.staging.absent(staged, indices)
        return indices

    async def _drop(self, opened: OpenVolume, indices: Sequence[Index]) -> None:
        for index in indices:
            opened.here.pop(index, None)
        if indices:
            await in_thread(self.threads, self._forget, opened.staged, indices)

    def _forget(self, staged: StagedVolume, indices: Sequence[Index]) -> None:
        self.shelf.staging.drop(staged, indices)
        for index in indices:
            self.cache.drop((staged.folder.name, staged.grid.key(index)))

    def _arrived(self, opened: OpenVolume, indices: Sequence[Index]) -> None:
        for demand in opened.demands:
            for index in indices:
                demand.arrived(index)

    async def _wanted(self, opened: OpenVolume, volume: str, first: int) -> Wanted:
        grid, size = opened.staged.grid, max(1, opened.staged.decoder.size)
        credit = min(max(self.credit_bytes // size, LEAST_CREDIT), MOST_CREDIT)
        limit = max(credit * WANTED_PER_CREDIT, opened.absent_lately)
        indices = opened.wanted(limit, first)
        await self._drop(opened, opened.surplus())
        return Wanted(
            keys=tuple(grid.key(index) for index in indices[:limit]),
            credit=credit,
            active=self.shelf.is_used(volume),
        )

    async def _found(
        self, caller: Principal, volume: str, need: Right
    ) -> tuple[VolumeRequest, str]:
        """Return how and when a volume was announced; raises as `check_right`."""
        row, right = await self.database.read(lambda c: records.find_volume(c, caller, volume))
        check_right(right, need, "volume")
        self.known.put(caller, volume, right)
        assert row is not None  # noqa: S101 # nobody has a right to what is not there
        return VolumeRequest.model_validate_json(row.request), row.created_at

    def _do(self, chore: Coroutine[object, object, object]) -> None:
        """Let something be done that nobody waits for."""
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._chores.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a volume's chunks could not be dropped", exc_info=task.exception())


def _described(volume: str, request: VolumeRequest, staged: StagedVolume, at: str) -> Volume:
    return Volume(
        id=volume,
        request=request,
        chunks_total=staged.grid.total,
        chunks_held=staged.held + staged.absent,
        bytes_held=staged.bytes_held,
        created_at=at,
    )
