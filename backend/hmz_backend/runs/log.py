"""What a run tells: numbered events, committed before anyone hears of them.

An event goes into the database together with what it speaks of, in one transaction; only then are
listeners woken. So a listener that names the last number it saw misses nothing, come what may.

A run that was cancelled or has failed may be resumed: its events go on, and its earlier end is left
out for those who listen from then on, since for them it is none.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, func, insert, select

from hmz_backend.database.access import Database
from hmz_backend.database.tables import EventRow
from hmz_backend.database.writer import Operation
from hmz_backend.runs.bell import Bell, wait_for
from napari_hmz.schema import ENDED, EVENT, Event

PAGE = 500
MakeEvent = Callable[[int], Event]
"""Makes an event with its number."""


@dataclass
class RunLog:
    """The events of one run; there is one writer at a time, its driver.

    Parameters
    ----------
    run
        Whose.
    database
        Where they are kept.
    number
        The last number given.
    beginning
        Held by whoever decides whether the run gets a driver.
    begun_after
        The last number when the run got its driver: an end up to there is none any more.
    """

    run: str
    database: Database
    number: int = 0
    bell: Bell = field(default_factory=Bell)
    beginning: asyncio.Lock = field(default_factory=asyncio.Lock)
    ending: bool = False
    begun_after: int = 0
    _recent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=PAGE))

    async def take_up(self) -> None:
        """Go on numbering after the last event that is kept."""
        self.number = await last_number(self.database, self.run)

    def end_streams(self) -> None:
        """Let listeners go: the backend stops."""
        self.ending = True
        self.bell.ring()

    async def append(
        self, events: Sequence[MakeEvent], *operations: Operation, last: Operation | None = None
    ) -> None:
        """Commit events together with what they speak of, then wake the listeners.

        Parameters
        ----------
        events
            Made with their numbers.
        *operations
            What else is written in the same transaction.
        last
            The same, at its end.
        """
        numbers = range(self.number + 1, self.number + 1 + len(events))
        self.number += len(events)
        made = [make(number) for make, number in zip(events, numbers, strict=True)]
        bodies = [EVENT.dump_json(event).decode() for event in made]
        rows = [
            {"run": self.run, "number": number, "body": body}
            for number, body in zip(numbers, bodies, strict=True)
        ]

        def commit(connection: Connection) -> None:
            for operation in operations:
                operation(connection)
            if rows:
                connection.execute(insert(EventRow), rows)

        try:
            await self.database.write(commit, last=last)
        except BaseException:  # cancelled, it may be written all the same: the database knows
            self._recent.clear()
            raise
        self._recent.extend(zip(numbers, bodies, strict=True))
        self.bell.ring()

    async def after(self, number: int) -> list[tuple[int, str]]:
        """Return the next events with their numbers; the latest ones are at hand."""
        if self._recent and self._recent[0][0] <= number + 1:
            return [event for event in self._recent if event[0] > number]
        return await self.database.read(partial(_page, run=self.run, after=number))


async def last_number(database: Database, run: str) -> int:
    """Return the number of a run's last event; 0 before the first."""
    query = select(func.max(EventRow.number)).where(EventRow.run == run)
    return await database.read(lambda connection: connection.execute(query).scalar() or 0)


async def follow(
    log: RunLog, after: int, *, silence_s: float
) -> AsyncIterator[tuple[int, str, str] | None]:
    """Yield (number, kind, JSON) of each event after number `after`, until the run has ended.

    None is yielded when nothing happened for `silence_s`: a sign of life. A listener that names a
    number which was never given (the database was put back to an earlier state) hears everything,
    and one that names the end of the run hears it again.
    """
    after = await _start(log, after)
    while not log.ending:
        ring = log.bell.next()
        page = await log.after(after)
        for place, (number, body) in enumerate(page, start=1):
            after = number
            event = EVENT.validate_json(body)
            is_end = _is_end(event)
            if is_end and (place < len(page) or await _goes_on(log, number)):
                continue
            yield number, event.kind, body
            if is_end:
                return
        if not page and not await wait_for(ring, silence_s):
            yield None


async def _goes_on(log: RunLog, number: int) -> bool:
    """Return whether a run has been taken up again since an end with this number."""
    return number <= log.begun_after or await last_number(log.database, log.run) > number


async def _start(log: RunLog, after: int) -> int:
    """Return the number after which a listener that named `after` is to hear."""
    last = await last_number(log.database, log.run)
    if after > last:
        return 0
    page = await log.database.read(partial(_page, run=log.run, after=last - 1))
    is_over = bool(page) and _is_end(EVENT.validate_json(page[0][1]))
    return min(after, last - 1) if is_over else after


def _is_end(event: Event) -> bool:
    return event.kind == "state" and event.state in ENDED


def _page(connection: Connection, *, run: str, after: int) -> list[tuple[int, str]]:
    query = (
        select(EventRow.number, EventRow.body)
        .where(EventRow.run == run, EventRow.number > after)
        .order_by(EventRow.number)
        .limit(PAGE)
    )
    return [(number, body) for number, body in connection.execute(query)]
