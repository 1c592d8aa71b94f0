"""Volumes: announced once, filled chunk by chunk, and told which chunks runs wait for."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field
from uuid import uuid4

from hmz_backend.database.access import Database
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import records
from hmz_backend.runs.bell import Bell, wait_for
from hmz_backend.runs.clock import now
from hmz_backend.runs.threads import in_thread
from hmz_backend.stores.cache import ChunkCache
from hmz_backend.stores.grid import Index
from hmz_backend.stores.reader import VolumeReader
from hmz_backend.stores.staged import StagedVolume
from hmz_backend.stores.staging import StagingArea
from napari_hmz.errors import (
    AddressRefused,
    ChunkCorrupt,
    ChunkTooLarge,
    Conflict,
    NotFound,
    SourceUnreadable,
    VolumeEmpty,
)
from napari_hmz.schema import Absent, Volume, VolumeRequest, Wanted
from napari_hmz.schema.codecs import announcement_fault

LEAST_CREDIT, MOST_CREDIT = 4, 64
WANTED_PER_CREDIT = 2  # so that the client has the next keys at hand while the last ones travel


@dataclass(eq=False)
class Demand:
    """What one run wants of a volume; made by its driver."""

    wanted: Callable[[int], Sequence[Index]]
    arrived: Callable[[Index], None]


@dataclass
class Volumes:
    """All volumes of this backend.

    Parameters
    ----------
    database, staging, cache
        Where they are kept.
    threads
        Where chunks are decoded and written.
    credit_bytes
        Decoded size of the chunks that a client may have under way.
    """

    database: Database
    staging: StagingArea
    cache: ChunkCache
    threads: Threads
    credit_bytes: int
    _users: Counter[str] = field(default_factory=Counter)
    _demands: dict[str, list[Demand]] = field(default_factory=dict)
    _bells: dict[str, Bell] = field(default_factory=dict)
    _owned: dict[tuple[str, str, str], StagedVolume] = field(default_factory=dict)

    async def announce(self, owner: Principal, request: VolumeRequest) -> Volume:
        """Return the volume for this announcement: the one that is there, or a new one.

        Raises
        ------
        VolumeEmpty, SourceUnreadable, AddressRefused
            If it cannot be accepted.
        Conflict
            If the fingerprint is that of a volume of another shape.
        QuotaExceeded
            If the staging area is full.
        """
        _check(request)
        row = await self.database.read(
            lambda connection: records.find_fingerprint(connection, owner, request.fingerprint)
        )
        if row is not None:
            known = VolumeRequest.model_validate_json(row.request)
            merged = _merged(known, request)
            if merged != known:
                await self.database.write(lambda c: records.change_volume(c, row.id, merged))
            return await self._describe(row.id, merged, row.created_at)
        volume, at = uuid4().hex, now()
        await in_thread(self.threads, self.staging.announce, volume, request)
        await self.database.write(lambda c: records.add_volume(c, owner, volume, request, at))
        return await self._describe(volume, request, at)

    async def get(self, owner: Principal, volume: str) -> Volume:
        """Return a volume of this owner, or raise `NotFound`."""
        row = await self.database.read(lambda c: records.find_volume(c, owner, volume))
        if row is None:
            raise NotFound("There is no such volume.")
        return await self._describe(
            volume, VolumeRequest.model_validate_json(row.request), row.created_at
        )

    async def open(self, owner: Principal, volume: str) -> StagedVolume:
        """Return the chunks of a volume of this owner, or raise `NotFound`."""
        mine = (owner.issuer, owner.subject, volume)
        if mine not in self._owned:
            row = await self.database.read(lambda c: records.find_volume(c, owner, volume))
            if row is None:
                raise NotFound("There is no such volume.")
            request = VolumeRequest.model_validate_json(row.request)
            self._owned[mine] = await self.open_trusted(volume, request)
        return self._owned[mine]

    async def open_trusted(self, volume: str, request: VolumeRequest) -> StagedVolume:
        """Return the chunks of a volume whose owner has been checked before."""
        return await in_thread(self.threads, self.staging.open, volume, request)

    def reader(self, volume: str, staged: StagedVolume) -> VolumeReader:
        """Return what reads regions of a volume."""
        return VolumeReader(volume, staged, self.cache)

    async def put_chunk(self, staged: StagedVolume, volume: str, key: str, body: bytes) -> None:
        """Check and keep a chunk, and tell the runs that wait for it.

        Raises
        ------
        NotFound, ChunkCorrupt, ChunkTooLarge, QuotaExceeded, DiskFull
            The chunk is not kept.
        """
        index = staged.grid.index(key)
        await in_thread(self.threads, self._keep, staged, volume, key, body)
        self._arrived(volume, [index])

    async def put_absent(self, staged: StagedVolume, volume: str, absent: Absent) -> None:
        """Note chunks that are fill value, and tell the runs that wait for them."""
        await in_thread(self.threads, self.staging.absent, staged, absent.keys)
        self._arrived(volume, [staged.grid.index(key) for key in absent.keys])

    async def wanted(self, staged: StagedVolume, volume: str, timeout_s: float) -> Wanted:
        """Return what runs wait for, as soon as there is something, at the latest after a while.

        A volume of which no run needs more is answered at once.
        """
        ring = self._bell(volume).next()
        found = self._wanted(staged, volume)
        if found.keys or not found.active or not await wait_for(ring, timeout_s):
            return found
        return self._wanted(staged, volume)

    def use(self, volume: str) -> None:
        """Count a run that has not ended: it may want chunks, if not yet."""
        self._users[volume] += 1
        self.changed(volume)

    def leave(self, volume: str) -> None:
        """Count a run that has ended no longer."""
        self._users[volume] -= 1
        self.changed(volume)

    def demand(self, volume: str, demand: Demand) -> None:
        """Let a run say which chunks it wants, and hear of those that come."""
        self._demands.setdefault(volume, []).append(demand)
        self.changed(volume)

    def release(self, volume: str, demand: Demand) -> None:
        """Want nothing for a run any more."""
        self._demands[volume].remove(demand)
        self.changed(volume)

    def changed(self, volume: str) -> None:
        """Wake the clients that ask what is wanted: it may be something else now."""
        self._bell(volume).ring()

    def end_polls(self) -> None:
        """Let everyone who waits for something to be wanted go."""
        for bell in self._bells.values():
            bell.ring()

    async def discard(self, volume: str, staged: StagedVolume, key: str) -> None:
        """Forget a damaged chunk: it is wanted again; one that has been sent anew since is kept."""
        await in_thread(self.threads, self._discard, volume, staged, key)

    def _discard(self, volume: str, staged: StagedVolume, key: str) -> None:
        try:
            staged.decoder.decode(staged.path(key).read_bytes())
        except (FileNotFoundError, ChunkCorrupt, ChunkTooLarge):
            self.cache.drop((volume, key))
            self.staging.discard(staged, key)

    def _keep(self, staged: StagedVolume, volume: str, key: str, body: bytes) -> None:
        array = staged.decoder.decode(body)
        self.staging.put(staged, key, body)
        self.cache.put((volume, key), array)

    def _arrived(self, volume: str, indices: Sequence[Index]) -> None:
        for demand in self._demands.get(volume, ()):
            for index in indices:
                demand.arrived(index)

    def _wanted(self, staged: StagedVolume, volume: str) -> Wanted:
        demands = self._demands.get(volume, [])
        size = max(1, staged.decoder.size)
        credit = min(max(self.credit_bytes // size, LEAST_CREDIT), MOST_CREDIT)
        keys: dict[str, None] = {}
        for demand in demands:
            indices = demand.wanted(credit * WANTED_PER_CREDIT)
            keys.update(dict.fromkeys(staged.grid.key(index) for index in indices))
        return Wanted(
            keys=tuple(keys)[: credit * WANTED_PER_CREDIT],
            credit=credit,
            active=self._users[volume] > 0,
        )

    def _bell(self, volume: str) -> Bell:
        return self._bells.setdefault(volume, Bell())

    async def _describe(self, volume: str, request: VolumeRequest, created_at: str) -> Volume:
        staged = await self.open_trusted(volume, request)
        _, held = staged.count({axis: (0, extent) for axis, extent in request.shape.items()})
        return Volume(
            id=volume,
            request=request,
            chunks_total=staged.grid.total,
            chunks_held=held,
            bytes_held=staged.bytes_held,
            created_at=created_at,
        )


def _check(request: VolumeRequest) -> None:
    if 0 in request.shape.values():
        raise VolumeEmpty("An axis of the image has no voxels.")
    fault = announcement_fault(request)
    if fault:
        raise SourceUnreadable(
            f"The image's chunks cannot be taken as they are: {fault}.",
            remedy="Let the client encode them anew.",
        )
    if request.address is not None:
        raise AddressRefused("This backend reads no addresses yet.")


def _merged(known: VolumeRequest, request: VolumeRequest) -> VolumeRequest:
    """Return what is known after a second announcement: the newer words, the older statistics."""
    same = all(
        getattr(known, name) == getattr(request, name)
        for name in ("axes", "shape", "chunks", "dtype", "array")
    )
    if not same:
        raise Conflict("Another image has been announced with this fingerprint.")
    return request.model_copy(update={"statistics": known.statistics or request.statistics})
