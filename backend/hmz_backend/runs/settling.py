"""Settling: the outputs of runs that are done come to the disk, and their work folders go.

That begins with a run's last word, since until then a loss of power may take the outputs though
their client has gone; and it is done once for all runs that ended while the last sync went on. A
crash before it is one before a run's end (`folder`). Runs on the event loop.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from hmz_backend.runs.folder import RunFolder, settle
from hmz_backend.runs.parts import Parts

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Settling:
    """Settles the folders of runs that are done.

    Parameters
    ----------
    parts
        With the threads where it is done.
    """

    parts: Parts
    _waiting: list[RunFolder] = field(default_factory=list)
    _task: "asyncio.Task[None] | None" = None

    def add(self, folder: RunFolder) -> None:
        """Settle a folder, at once or after those that are being settled."""
        self._waiting.append(folder)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="settling")

    async def stop(self) -> None:
        """Return once everything is settled."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            folders, self._waiting = self._waiting, []
            try:
                await self.parts.in_thread(settle, folders)
            except OSError as error:  # they are settled when the backend starts again
                log.warning("the files of runs that are done could not be tidied up: %s", error)
        self._task = None
