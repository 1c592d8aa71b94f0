"""Acts that come by the thousand: the first of a minute is a record at once, the others are one.

A record of each would make all callers wait for one another, and the trail too long to be read.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hmz_backend.audit.entry import Entry
from hmz_backend.audit.trail import recording
from hmz_backend.database.access import Database
from napari_hmz.errors import HmzError

log = logging.getLogger(__name__)
PERIOD_S: Final = 60.0
Key = tuple[str, ...]


@dataclass
class _More:
    """The acts of one kind after the first."""

    entry: Entry
    times: int = 0


@dataclass
class Summary:
    """Counts acts by kind, person, thing, model and outcome. Runs on the event loop.

    Parameters
    ----------
    database
        Where the trail is.
    period_s
        What is counted together.
    """

    database: Database
    period_s: float = PERIOD_S
    _first: list[Entry] = field(default_factory=list)
    _more: dict[Key, _More] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, entry: Entry) -> None:
        """Take an act; it is written a moment later, or with others of its kind."""
        key = _key(entry)
        if (more := self._more.get(key)) is not None:
            more.times += 1
            return
        self._more[key] = _More(entry)
        self._first.append(entry)
        self._wake.set()

    async def run(self) -> None:
        """Write what is noted, until cancelled."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self.period_s
        while True:
            try:
                async with asyncio.timeout_at(end_s):
                    await self._wake.wait()
                await self._write_first()
            except TimeoutError:
                await self.flush()
                end_s = loop.time() + self.period_s

    async def flush(self) -> None:
        """Write everything that is noted; the next act of each kind is a first one again."""
        await self._write_first()
        ended, self._more = self._more, {}
        for more in ended.values():
            if more.times:
                times = {**more.entry.more, "times": more.times}
                await self._write(replace(more.entry, request="", more=times))

    async def _write_first(self) -> None:
        self._wake.clear()
        first, self._first = self._first, []
        for entry in first:
            await self._write(entry)

    async def _write(self, entry: Entry) -> None:
        try:
            await self.database.write(last=recording(entry))
        except (HmzError, SQLAlchemyError):
            log.exception("the audit trail has no record of %s", entry.document())


def _key(entry: Entry) -> Key:
    who = entry.who
    about = (entry.thing, entry.model, entry.version, entry.outcome)
    return (entry.what, who.issuer, who.subject, who.credential, *about)
