"""Bar 6: tiles that are computed after a run was cancelled: only those on the engine by then.

Tiles write down when they begin and when they end. On the engine are those that were handed to it
and have not ended: at most two per instance, of which one may still wait there. No tile may begin
once the cancelling was answered.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figure import Figure
from hmz_backend.dispatch.dispatcher import TILES_PER_INSTANCE
from hmz_backend.testing.faults.rig import BLOCKS, ENGINES, INSTANCES, Rig
from hmz_backend.testing.faults.tally import model_name
from napari_hmz.client import connect

CANCELS = 10
TILE_S = 0.1
QUIET_S = 5 * TILE_S
SEED = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Tiles of one run.

    Parameters
    ----------
    executed
        That ended after the request to cancel was sent.
    late
        That began after it was answered.
    """

    executed: int
    late: int


def figures() -> Iterator[Figure]:
    """Yield both counts for each engine: the worst of several runs."""
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as name, Rig(Path(name), engine, TILE_S) as rig:
            counts = [_cancelled(rig, number) for number in range(CANCELS)]
        note = f"(worst of {CANCELS}; {INSTANCES} instances)"
        executed, late = max(c.executed for c in counts), max(c.late for c in counts)
        window = INSTANCES * TILES_PER_INSTANCE
        yield Figure(f"{engine}: tiles executed after cancel", executed, window, "below", note)
        yield Figure(f"{engine}: tiles begun after cancel was answered", late, 0, "below", note)


def _cancelled(rig: Rig, number: int) -> Counts:
    chance = random.Random(SEED + number)  # noqa: S311 # repeatable, guards nothing
    tally = rig.tally.from_now()
    begun = chance.randrange(1, BLOCKS // 2)
    with connect(rig.backend.url, rig.backend.token, state_dir=rig.state) as client:
        run = client.run(model_name("labels"), rig.image())
        while tally.begun() < begun:
            time.sleep(0.002)  # a file tells nobody that it has grown
        time.sleep(chance.uniform(0, TILE_S))
        ended = tally.ended()
        run.cancel()
        answered = tally.begun()
    time.sleep(QUIET_S)  # what is on the engine ends within one tile's time
    return Counts(tally.ended() - ended, tally.begun() - answered)
