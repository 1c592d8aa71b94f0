"""The election: one of several server processes leads, the others know where it is.

```
standing by ── lease free ──> starting ── ready ──> leading ── lost, or in doubt ──> standing by
                                                       └── told to stop ──> passing on, to the next
```

The leader looks after all volumes and runs, so that shares, limits and what is at hand need not be
agreed upon request by request. Runs on the event loop.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from hmz_backend.database import lease
from hmz_backend.database.access import Database, Guard
from hmz_backend.database.lease import LEASE_S, LeaseLost, Standing
from hmz_backend.peers.run_root import next_term, take_over
from napari_hmz.errors import ServerBusy

T = TypeVar("T")
log = logging.getLogger(__name__)
BEAT_S: Final = 1.5  # between two renewals
LOOK_S: Final = 0.5  # between two looks of those who stand by
HOLD_S: Final = 15.0  # a request waits for a leader; clients wait 30 s for an answer
PARTING_S: Final = 3.0  # the same where the process stops itself: another one comes soon, or none
STOP_S: Final = 20.0  # the leader has so long to stop; then the lease runs out by itself
DRAIN_S: Final = 5.0  # requests that are being answered may take as long when the leader stops


class Lead(Protocol):
    """Looks after volumes and runs while its context lasts."""

    def __call__(self, database: Database, runs: Path) -> AbstractAsyncContextManager[None]:
        """Begin, with a database that takes the leader's word only, and the folder of runs."""


@dataclass
class Election:
    """Stands for election, and leads when it has won.

    Parameters
    ----------
    database
        Where the lease is.
    data_dir
        Shared by all processes.
    address
        Where the others reach this process.
    lead
        What a leader does.
    end_streams
        Lets event streams and long polls of this process end.
    """

    database: Database
    data_dir: Path
    address: str
    lead: Lead
    end_streams: Callable[[], None]
    retiring: asyncio.Event = field(default_factory=asyncio.Event)
    _leader: str = ""
    """Empty: nobody is known to lead."""
    _leads: bool = False
    """Whether requests are answered here."""
    _reigns: bool = False
    """Whether this process has the lease, as far as it knows."""
    _answering: int = 0
    _doubted: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    @property
    def leads(self) -> bool:
        """Whether requests are answered here."""
        return self._leads

    def start(self) -> None:
        """Begin to stand."""
        self._task = asyncio.create_task(self._run(), name="election")

    async def settled(self) -> None:
        """Return once somebody leads, or it takes long: requests wait by themselves then."""
        with contextlib.suppress(ServerBusy):
            await self.place()

    async def place(self) -> str:
        """Return where the leader is: its address, or nothing if it is here.

        Raises
        ------
        ServerBusy
            If nobody leads for so long.
        """
        end_s = time.monotonic() + (PARTING_S if self.retiring.is_set() else HOLD_S)
        while not (self._leads or self._leader):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise ServerBusy("The backend is being started again.")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left_s)
        return "" if self._leads else self._leader

    async def end(self, leader: str) -> bool:
        """Return True once another one leads than `leader`, or False once this process stops."""
        while self._leader == leader:
            if self.retiring.is_set():
                return False
            await self._changed.wait()
        return True

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Count a request that is answered here: the leader does not stop before it has been."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            self._ring()

    async def retire(self) -> None:
        """Lead no more, and let another one lead at once; requests are passed on from now on."""
        self.retiring.set()
        self._ring()
        await self._until(lambda: not self._reigns, STOP_S)

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                term = await self._win()
                await self._reign(term)
            except LeaseLost as error:
                log.warning("this server process leads no more: %s", error.detail)
            except SQLAlchemyError as error:
                log.warning("the database does not answer: %s", error)
            except Exception:  # whatever it is, the next attempt may go through, here or elsewhere
                log.exception("this server process cannot lead")
            await asyncio.sleep(LOOK_S)

    async def _win(self) -> int:
        """Return the term of the lease as soon as it is free; know meanwhile who has it."""
        while True:
            standing = await self.database.read(lease.look)
            self._know(standing)
            if not self.retiring.is_set() and not self._leader:
                term = await self._acquired()
                if term is not None:
                    return term
            await asyncio.sleep(LOOK_S)

    def _know(self, standing: Standing | None) -> None:
        is_held = standing is not None and standing.left_s > 0
        leader = standing.address if standing is not None and is_held else ""
        self._leader = "" if leader == self.address else leader
        self._ring()

    async def _acquired(self) -> int | None:
        least = await asyncio.to_thread(next_term, self.data_dir)
        return await self._commit(lambda c: lease.acquire(c, self.address, least))

    async def _reign(self, term: int) -> None:
        """Lead until told to stop; raises LeaseLost."""
        log.info("this server process leads, term %d", term)
        self._reigns = True
        self._doubted.clear()
        beating = asyncio.create_task(self._beat(term))
        leading = asyncio.create_task(self._lead(term))
        try:
            await asyncio.wait([beating, leading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leads = False
            leading.cancel()
            await asyncio.wait([leading])
            await self._give_back(term, beating)
        for task in (beating, leading):
            if task.done() and not task.cancelled():
                task.result()

    async def _give_back(self, term: int, beating: "asyncio.Task[None]") -> None:
        """Let another one lead, unless it does already or the lease is in doubt."""
        try:
            if not beating.done():
                beating.cancel()
                await self._commit(lambda c: lease.release(c, term))
        finally:
            self._reigns = False
            self._ring()

    async def _lead(self, term: int) -> None:
        runs = await asyncio.to_thread(take_over, self.data_dir, term)
        guard = Guard(lambda connection: lease.check(connection, term), self._doubted.set)
        database = self.database.guarded(guard)
        async with self.lead(database, runs):
            self._leads = True
            self._ring()
            try:
                await self.retiring.wait()
            finally:
                self._leads = False  # from now on, requests wait for the next leader
                self.end_streams()
            await self._until(lambda: not self._answering, DRAIN_S)

    async def _beat(self, term: int) -> None:
        """Renew the lease; raises LeaseLost if it has gone, or may have."""
        renewed_s = time.monotonic()
        while not await self._is_doubted(BEAT_S):
            began_s = time.monotonic()
            try:
                await asyncio.wait_for(self._commit(lambda c: lease.renew(c, term)), LEASE_S / 2)
                renewed_s = began_s
            except (SQLAlchemyError, TimeoutError) as error:
                log.warning("the lease could not be renewed: %s", error)
            if time.monotonic() - renewed_s > LEASE_S:
                break
        raise LeaseLost("The database was away.")

    async def _is_doubted(self, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._doubted.wait(), timeout_s)
        return self._doubted.is_set()

    async def _commit(self, operation: Callable[[Connection], T]) -> T:
        def commit() -> T:
            with self.database.engine.begin() as connection:
                return operation(connection)

        return await asyncio.to_thread(commit)

    async def _until(self, check: Callable[[], bool], timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        while not check() and (left_s := end_s - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left_s)

    def _ring(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
