"""The readings: what is so in the backend at the moment when its metrics are asked for."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from hmz_backend.dispatch.dispatcher import TILES_PER_INSTANCE
from hmz_backend.runs.service import RunService
from hmz_backend.settings import Settings
from hmz_backend.shares.turn import Holder
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.watch.watch import Watch
from napari_hmz.schema import wire
from napari_hmz.version import __version__

GOING = ("queued", "running", "joining")


@dataclass(frozen=True)
class Readings:
    """Sets the levels, and shows all metrics.

    Parameters
    ----------
    watch
        Has the metrics.
    service
        Knows the runs, and what they are driven with.
    settings
        Say what may be taken.
    blocks
        Where blocks wait for a place; none: another executor has them.
    """

    watch: Watch
    service: RunService
    settings: Settings
    blocks: TwoClasses[Any] | None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(self) -> bytes:
        """Return all metrics as they are now, in Prometheus' text format."""
        async with self._one:  # of two who ask, none sees what the other has half set
            self._runs()
            self._waiting()
            self._engine()
            self._database()
            await asyncio.to_thread(self._disk)
            return await asyncio.to_thread(self.watch.instruments.text)

    def end(self) -> None:
        """Let the levels be unknown: this process looks after runs no more."""
        self.watch.levels.forget()

    def _runs(self) -> None:
        levels, states = self.watch.levels, self.service.under_way.states()
        levels.leads.set(1)
        build = (__version__, str(wire.PROTOCOL_VERSION), self.settings.engine)
        levels.build.labels(*build).set(1)
        for state in GOING:
            levels.runs.labels(state).set(states[state])

    def _waiting(self) -> None:
        levels, windows = self.watch.levels, self.service.parts.dispatcher.windows()
        tiles, holders = Counter[str](), dict[str, Set[Holder]](interactive=set(), batch=set())
        for window in windows.values():
            for urgency, queue in window.queue.classes().items():
                tiles[urgency] += queue.waiting
                holders[urgency] |= queue.holders()
        blocks = self.blocks.classes() if self.blocks else {}
        for name, found in holders.items():
            levels.tiles_waiting.labels(name).set(tiles[name])
            levels.holders_waiting.labels(name).set(len(found))
        for urgency, queue in blocks.items():
            levels.blocks_waiting.labels(urgency).set(queue.waiting)

    def _engine(self) -> None:
        levels, dispatcher = self.watch.levels, self.service.parts.dispatcher
        levels.engine_up.set(not dispatcher.troubles)
        for name, window in dispatcher.windows().items():
            levels.engine_instances.labels(name).set(window.size // TILES_PER_INSTANCE)
            levels.engine_places.labels(name).set(window.size)
            levels.engine_taken.labels(name).set(window.inside)

    def _database(self) -> None:
        levels, database = self.watch.levels, self.service.parts.database
        used, kept = database.connections()
        levels.database_connections.set(used)
        levels.database_pool.set(kept)
        levels.writes_waiting.set(database.writer.waiting)

    def _disk(self) -> None:
        levels, volumes = self.watch.levels, self.service.parts.volumes
        held = volumes.shelf.staging.volumes()
        levels.staging.set(sum(held.values()))
        levels.staging_quota.set(self.settings.staging_quota_bytes)
        levels.volumes_held.set(sum(size > 0 for size in held.values()))
        levels.disk_free.set(shutil.disk_usage(self.settings.data_dir).free)
        levels.disk_reserve.set(self.settings.disk_reserve_bytes)
        levels.cache.set(volumes.cache.held_bytes)
