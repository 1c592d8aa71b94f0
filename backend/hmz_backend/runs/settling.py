"""Settling: the outputs of runs that are done come to the disk, and their work folders go.

A sync makes everybody wait who writes to a disk just then: where client and backend share a
machine, that is the client, which finishes its own copy. So it comes a moment after a run's last
word, and once for all runs that have ended meanwhile. A crash before it is one before a run's end
(`folder`). Runs on the event loop.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from hmz_backend.runs.folder import RunFolder, settle
from hmz_backend.runs.parts import Parts

log = logging.getLogger(__name__)
LATER_S = 1.0  # clients have usually finished by then


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
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    def add(self, folder: RunFolder) -> None:
        """Settle a folder soon."""
        self._waiting.append(folder)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="settling")

    async def stop(self) -> None:
        """Settle at once what waits."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), LATER_S)
            folders, self._waiting = self._waiting, []
            try:
                await self.parts.in_thread(settle, folders)
            except OSError as error:  # they are settled when the backend starts again
                log.warning("the files of runs that are done could not be tidied up: %s", error)
        self._task = None
