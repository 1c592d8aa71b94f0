"""The persons whom the backend has seen, and those who are suspended, as every process knows them.

A suspension is written by an admin's command in a process of its own, so the database is looked at
once a second: then the person's requests are refused, and streams that are open end.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from hmz_backend.audit.entry import Who
from hmz_backend.database.access import Database
from hmz_backend.identity import person_records
from hmz_backend.identity.person_records import Person
from hmz_backend.identity.protocol import Principal
from napari_hmz.errors import HmzError, Suspended

T = TypeVar("T")
log = logging.getLogger(__name__)
LOOK_S: Final = 1.0  # between two looks at who is suspended
NOTE_S: Final = 300.0  # between two notes that somebody is still here
MOST_NOTED: Final = 20_000


@dataclass
class People:
    """Notes who comes, and keeps out who is suspended.

    Parameters
    ----------
    database
        Where both are written.
    clock_s
        Tells seconds that only go on.
    """

    database: Database
    clock_s: Callable[[], float] = time.monotonic
    _suspended: frozenset[Person] = frozenset()
    _watching: "asyncio.Task[None] | None" = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _noted: OrderedDict[Person, tuple[float, Principal]] = field(default_factory=OrderedDict)

    def check(self, principal: Principal) -> None:
        """Raise Suspended if the person is."""
        if self.is_suspended(principal):
            raise Suspended

    def is_suspended(self, person: Who) -> bool:
        """Return whether somebody is kept out."""
        return (person.issuer, person.subject) in self._suspended

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever others than before are kept out."""
        changed = self._changed
        while True:
            await changed.wait()
            changed = self._changed
            yield

    async def note(self, principal: Principal) -> None:
        """Write down that somebody was here, and with which groups; now and then is enough."""
        person = (principal.issuer, principal.subject)
        if principal.credential == "anonymous" or self._is_noted(person, principal):
            return
        self._noted[person] = (self.clock_s(), principal)
        self._noted.move_to_end(person)
        if len(self._noted) > MOST_NOTED:
            self._noted.popitem(last=False)
        try:
            await self.database.write(lambda c: person_records.note(c, principal))
        except HmzError:
            self._noted.pop(person, None)
            raise

    def _is_noted(self, person: Person, principal: Principal) -> bool:
        at_s, last = self._noted.get(person, (float("-inf"), None))
        is_told = principal.credential == "token" or last == principal
        return self.clock_s() - at_s < NOTE_S and is_told

    async def look(self) -> None:
        """Learn who is suspended now."""
        found = await self.database.read(person_records.suspended)
        if found != self._suspended:
            self._suspended = found
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def start(self) -> None:
        """Look now, and again and again until `stop`."""
        await self.look()
        self._watching = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)  # nothing tells what another process has written
            try:
                await self.look()
            except SQLAlchemyError:
                log.warning("who is suspended cannot be read now", exc_info=True)

    async def unless_suspended(self, principal: Principal, work: Awaitable[T]) -> T:
        """Return what comes of something that takes long; raises Suspended when the person is."""
        step = asyncio.ensure_future(work)
        barred = asyncio.create_task(self._barred(principal))
        try:
            await asyncio.wait({step, barred}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                raise Suspended
            return step.result()
        finally:
            await _end(step, barred)

    async def while_welcome(
        self, principal: Principal, items: AsyncIterator[T]
    ) -> AsyncIterator[T]:
        """Yield items until the person is suspended."""
        barred = asyncio.create_task(self._barred(principal))
        try:
            while True:
                step = asyncio.ensure_future(anext(items))
                try:
                    await asyncio.wait({step, barred}, return_when=asyncio.FIRST_COMPLETED)
                    if barred.done():
                        return
                    yield step.result()
                except StopAsyncIteration:
                    return
                finally:
                    await _end(step)
        finally:
            await _end(barred)

    async def _barred(self, principal: Principal) -> None:
        """Return once the person is suspended."""
        while (principal.issuer, principal.subject) not in self._suspended:
            await self._changed.wait()


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
