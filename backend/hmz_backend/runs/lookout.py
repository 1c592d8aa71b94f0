"""The lookout: what models there are, and how fast they are here, as seen a moment ago.

A look asks the disk about every file of every package, and reads a new package whole. Nobody who
asks for models waits for that: a chore looks every few seconds, in a thread, and the event loop
hands out what it saw last.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hmz_backend.database.access import Database
from hmz_backend.runs import records
from hmz_backend.runs.threads import in_thread
from napari_hmz.schema import ModelCard

log = logging.getLogger(__name__)
PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 30.0
REST_PER_LOOK: Final = 20


class Package(Protocol):
    """What is used of a model package."""

    @property
    def card(self) -> ModelCard:
        """What users are told."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


class Packages(Protocol):
    """All model packages: the zoo, seen from here."""

    def packages(self) -> Sequence[Package]:
        """Return all of them, newest version first within a model."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look found.

    Parameters
    ----------
    packages
        All of them, newest version first within a model.
    seconds_per_voxel
        By id and version, of models that have run here.
    """

    packages: Sequence[Package]
    seconds_per_voxel: Mapping[tuple[str, str], float]


@dataclass(slots=True)
class Lookout:
    """Knows the models.

    Parameters
    ----------
    packages
        Where they are looked for.
    threads
        Where looking happens.
    database
        Where measured speeds are found.
    """

    packages: Packages
    threads: Threads
    database: Database
    _last: Sight | None = field(default=None, init=False)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            began_s = time.monotonic()
            try:
                await self.look()
                pause_s = rest_s(time.monotonic() - began_s)
            except Exception:  # whatever it is, the next look may go through
                log.exception("the models could not be looked at")
                pause_s = LONGEST_PAUSE_S
            await asyncio.sleep(pause_s)

    async def last(self) -> Sight:
        """Return what was seen last; the first one to ask waits for a look."""
        return self._last or await self.look()

    async def look(self) -> Sight:
        """Return what is there now."""
        async with self._one:  # or an older look, ending late, would replace a newer one
            packages = await in_thread(self.threads, self.packages.packages)
            speeds = await self.database.read(records.all_seconds_per_voxel)
            self._last = Sight(packages, speeds)
            return self._last


def rest_s(took_s: float) -> float:
    """Return the seconds until the next look: a large zoo on a slow disk is left in peace."""
    return min(max(PAUSE_S, REST_PER_LOOK * took_s), LONGEST_PAUSE_S)
