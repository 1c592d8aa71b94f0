"""What a run tells: numbered events, committed before anyone hears of them.

An event goes into the database together with what it speaks of, in one transaction; only then are
listeners woken. So a listener that names the last number it saw misses nothing, come what may.
"""

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
    """The events of one run; there is one writer, its driver.

    Parameters
    ----------
    run
        Whose.
    database
        Where they are kept.
    number
        The last number given.
    """

    run: str
    database: Database
    number: int = 0
    bell: Bell = field(default_factory=Bell)
    ending: bool = False

    def end_streams(self) -> None:
        """Let listeners go: the backend stops."""
        self.ending = True
        self.bell.ring()

    async def append(self, events: Sequence[MakeEvent], *operations: Operation) -> None:
        """Commit events together with what they speak of, then wake the listeners."""
        rows = []
        for make in events:
            self.number += 1
            body = EVENT.dump_json(make(self.number)).decode()
            rows.append({"run": self.run, "number": self.number, "body": body})

        def commit(connection: Connection) -> None:
            for operation in operations:
                operation(connection)
            if rows:
                connection.execute(insert(EventRow), rows)

        await self.database.write(commit)
        self.bell.ring()


async def last_number(database: Database, run: str) -> int:
    """Return the number of a run's last event; 0 before the first."""
    query = select(func.max(EventRow.number)).where(EventRow.run == run)
    return await database.read(lambda connection: connection.execute(query).scalar() or 0)


async def follow(
    log: RunLog, after: int, *, silence_s: float
) -> AsyncIterator[tuple[int, str, str] | None]:
    """Yield (number, kind, JSON) of each event after number `after`, until the run has ended.

    None is yielded when nothing happened for `silence_s`: a sign of life.
    """
    while not log.ending:
        ring = log.bell.next()
        page = await log.database.read(partial(_page, run=log.run, after=after))
        for number, body in page:
            after = number
            event = EVENT.validate_json(body)
            yield number, event.kind, body
            if event.kind == "state" and event.state in ENDED:
                return
        if not page and not await wait_for(ring, silence_s):
            yield None


def _page(connection: Connection, *, run: str, after: int) -> list[tuple[int, str]]:
    query = (
        select(EventRow.number, EventRow.body)
        .where(EventRow.run == run, EventRow.number > after)
        .order_by(EventRow.number)
        .limit(PAGE)
    )
    return [(number, body) for number, body in connection.execute(query)]
