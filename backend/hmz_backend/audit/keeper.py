"""Keeps the trail while the backend runs: what is summed up, checkpoints, start and stop."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hmz_backend.audit.checkpoints import Checkpoints
from hmz_backend.audit.entry import BACKEND, Entry, What
from hmz_backend.audit.summary import Summary
from hmz_backend.audit.trail import head, recording
from hmz_backend.database.access import Database
from napari_hmz.errors import HmzError
from napari_hmz.version import __version__

log = logging.getLogger(__name__)
CHECKPOINT_S: Final = 3600.0


@dataclass
class AuditKeeper:
    """Runs beside the routes, on the event loop.

    Parameters
    ----------
    database
        Where the trail is.
    checkpoints
        Where its end is told.
    """

    database: Database
    checkpoints: Checkpoints
    summary: Summary = field(init=False)
    _tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing noted."""
        self.summary = Summary(self.database)

    async def start(self) -> None:
        """Write that the backend runs, and go on until `stop`."""
        await self._say("backend.started")
        self._tasks = [asyncio.create_task(self.summary.run()), asyncio.create_task(self._mark())]

    async def stop(self) -> None:
        """Write what is noted, and that the backend stops."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.summary.flush()
        await self._say("backend.stopped")
        await self._tell()

    async def _say(self, what: What) -> None:
        entry = Entry(what, BACKEND, more={"backend": __version__})
        try:
            await self.database.write(last=recording(entry))
        except (HmzError, SQLAlchemyError):  # a full disk: what the backend can do, it still does
            log.exception("the audit trail has no record of %s", what)

    async def _mark(self) -> None:
        while True:
            await self._tell()
            await asyncio.sleep(CHECKPOINT_S)  # a checkpoint has a period, not a cause

    async def _tell(self) -> None:
        try:
            self.checkpoints.tell(await self.database.read(head))
        except (OSError, SQLAlchemyError):
            log.exception("the checkpoint of the audit trail could not be told")
