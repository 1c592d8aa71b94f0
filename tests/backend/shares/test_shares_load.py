"""Fifty people on one backend, in simulated time: one with 1000 tiles, 49 with one tile each.

The executor, the dispatcher and its window are the real ones; a tile is read for a while, computed
for one second, and kept for a while. `benchmarks/shares.py` does the same over HTTP.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.dispatch.dispatcher import Dispatcher
from hmz_backend.engines.protocol import Capacity, TileRequest
from hmz_backend.executors.local import LocalExecutor
from hmz_backend.executors.protocol import BlockTask
from hmz_backend.shares.turn import Share, Turn
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.testing.simulated_time import simulate
from napari_hmz.schema import Urgency

TILE_S, READ_S, KEEP_S = 1.0, 0.05, 0.05
MANY, PEOPLE = 1000, 49
LONGEST_WAIT_S = 3 * TILE_S


@dataclass
class Paced:
    """An engine whose tiles take a fixed time, and which notes when each began."""

    instances: int
    begun_s: dict[float, float] = field(default_factory=dict)
    _free: asyncio.Semaphore | None = None

    async def describe(self, model: str, version: str) -> Capacity:
        self._free = self._free or asyncio.Semaphore(self.instances)
        return Capacity(self.instances)

    async def infer(self, request: TileRequest, *, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        assert self._free is not None
        async with self._free:
            self.begun_s[float(request.inputs["number"])] = now_s()
            await asyncio.sleep(TILE_S)
        return {}

    async def close(self) -> None: ...


@dataclass
class Backend:
    """What tiles go through, with the default sizes of a machine with so many instances."""

    instances: int
    ended_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Paced(self.instances)
        self.dispatcher = Dispatcher(self.engine)
        slots = max(8, 3 * self.instances)
        queue: TwoClasses[Any] = TwoClasses(evenly=True)
        self.executor = LocalExecutor(self._work, slots, queue, math.ceil(slots / 4))

    async def _work(self, task: BlockTask) -> str:
        await asyncio.sleep(READ_S)
        number = {"number": np.array(task.block)}
        await self.dispatcher.infer(TileRequest("m", "1", number, {}), task.turn)
        await asyncio.sleep(KEEP_S)
        self.ended_s[task.block] = now_s()
        return ""

    async def wait_of(self, number: int, turn: Turn) -> float:
        """Do one tile; return how long it waited until it was computed."""
        asked_s = now_s()
        ticket = await self.executor.submit(BlockTask("r", number, turn))
        await self.executor.poll([ticket], timeout_s=math.inf)
        return self.engine.begun_s[number] - asked_s


def now_s() -> float:
    return asyncio.get_running_loop().time()


def turn(subject: str, urgency: Urgency = "batch") -> Turn:
    return Turn(Share(("i", subject), urgency=urgency), voxels=64**3)


async def waits(
    backend: Backend, arrivals_s: list[float], many: str = "many", urgency: Urgency = "batch"
) -> list[float]:
    """Return how long each of the one-tile jobs waited that come beside the thousand tiles."""

    async def later(number: int, at_s: float) -> float:
        await asyncio.sleep(at_s)
        subject = f"person {number}" if many == "many" else many
        return await backend.wait_of(MANY + number, turn(subject, urgency))

    thousand = [backend.wait_of(number, turn(many)) for number in range(MANY)]
    ones = [later(number, at_s) for number, at_s in enumerate(arrivals_s)]
    found = await asyncio.gather(*thousand, *ones)
    return list(found[MANY:])


def spread(instances: int) -> list[float]:
    """Return when 49 people come, at random, while the thousand tiles are computed."""
    rng = np.random.default_rng(7)
    return list(rng.uniform(0, 0.95 * MANY * TILE_S / instances, PEOPLE))


@pytest.mark.parametrize("instances", [1, 2, 4])
def test_each_one_tile_job_waits_no_longer_than_three_tiles(instances: int) -> None:
    found = simulate(waits(Backend(instances), spread(instances)))
    assert max(found) <= LONGEST_WAIT_S


@pytest.mark.parametrize("instances", [1, 2, 4])
def test_all_at_once_they_wait_for_each_other_and_hardly_for_the_thousand(instances: int) -> None:
    found = simulate(waits(Backend(instances), [100.25] * PEOPLE))
    for place, wait_s in enumerate(sorted(found)):
        assert wait_s <= place / instances * TILE_S + LONGEST_WAIT_S


@pytest.mark.parametrize("instances", [1, 4])
def test_sharing_costs_no_throughput(instances: int) -> None:
    shared, alone = Backend(instances), Backend(instances)
    simulate(waits(shared, spread(instances)))
    simulate(waits(alone, spread(instances), many="one person"))
    assert max(alone.ended_s.values()) / max(shared.ended_s.values()) >= 0.95
    ideal_s = (MANY + PEOPLE) * TILE_S / instances
    assert max(shared.ended_s.values()) <= ideal_s * 1.01 + 2


def test_without_shares_they_would_wait_for_the_thousand() -> None:
    found = simulate(waits(Backend(2), [100.25] * PEOPLE, many="one person"))
    assert min(found) > 100 * TILE_S


def test_ones_own_preview_does_not_wait_for_ones_own_thousand_tiles() -> None:
    found = simulate(waits(Backend(2), spread(2), many="one person", urgency="interactive"))
    assert max(found) <= LONGEST_WAIT_S
