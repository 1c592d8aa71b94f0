"""The collector: deletes what nobody has used for its time to live. One task of the event loop.

```
volumes   unused for volume_ttl_s: their chunks go, and are wanted again if somebody comes back;
          sensitive ones go sooner (at the end of a run; here what a crash has left)
runs      ended run_ttl_s ago:     their files go, results included; a resume starts over
```

When room is needed, volumes go earlier (`Shelf.collect_oldest`), the one unused for longest first.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from hmz_backend.database.access import Database
from hmz_backend.runs import records
from hmz_backend.runs.service import RunService
from hmz_backend.runs.shelf import Shelf
from napari_hmz.schema import ENDED

log = logging.getLogger(__name__)
PERIOD_S = 300.0


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects volumes and runs.

    Parameters
    ----------
    shelf, service, database
        Where they are.
    volume_ttl_s
        How long a volume is kept after its last use.
    run_ttl_s
        How long a run's files are kept after its end; 0: for ever.
    """

    shelf: Shelf
    service: RunService
    database: Database
    volume_ttl_s: float
    run_ttl_s: float

    async def run(self) -> None:
        """Sweep from time to time, until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:  # whatever it is, the next sweep may go through
                log.exception("unused volumes and runs could not be deleted")
            await asyncio.sleep(PERIOD_S)

    async def sweep(self) -> None:
        """Delete what is over its time."""
        sensitive = await self.database.read(records.sensitive_volumes)
        for volume in await self.shelf.collect_unused(self.volume_ttl_s, sensitive):
            log.info("volume %s: unused for long, its chunks are deleted", volume)
        for run in await self._old_runs() if self.run_ttl_s else ():
            if await self.service.collect(run):
                log.info("run %s: ended %g s ago, its files are deleted", run, self.run_ttl_s)

    async def _old_runs(self) -> list[str]:
        """Return the runs that ended long ago, and have files still."""
        before = datetime.fromtimestamp(self.shelf.clock() - self.run_ttl_s, UTC)
        stamp = before.isoformat(timespec="milliseconds")
        ended = await self.database.read(lambda c: records.ended_runs(c, stamp, tuple(ENDED)))
        return [run for run, *_ in ended if (self.service.root / run).exists()]
