"""What the collector takes, and what it never takes."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hmz_backend.runs import collector
from hmz_backend.runs.open_volume import OpenVolume
from hmz_backend.runs.shelf import Shelf
from hmz_backend.stores.staged import HELD
from hmz_backend.stores.staging import StagingArea
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement
from napari_hmz.errors import QuotaExceeded
from napari_hmz.schema import wire

T = TypeVar("T")
IMAGE = np.zeros((4, 8), np.uint8)
CHUNKS = (2, 2)
CHUNK_BYTES = 4 + 64  # the most that a chunk of four voxels may take
KEYS = [f"c/{y}/{x}" for y in range(2) for x in range(4)]
QUOTA = 20 * CHUNK_BYTES  # two and a half volumes
GRACE_S, TTL_S = 10.0, 100.0
VOLUMES = st.sampled_from(["a", "b", "c", "d"])


class Interleavings(RuleBasedStateMachine):
    """Clients announce and send, runs begin and end, the collector sweeps, in any order."""

    @initialize()
    def begin(self) -> None:
        self.now_s = 1e9
        self.loop = asyncio.new_event_loop()
        self.threads = ThreadPoolExecutor(2)
        self.folder = tempfile.TemporaryDirectory()
        self.area = StagingArea(Path(self.folder.name) / "volumes", QUOTA)
        self.shelf = Shelf(
            self.area,
            self.threads,
            stream_bytes=4 * CHUNK_BYTES,
            grace_s=GRACE_S,
            clock=lambda: self.now_s,
        )
        self.users: dict[str, int] = {}
        self.held: dict[str, set[str]] = {}
        self.touched_s: dict[str, float] = {}
        self.runs: dict[str, OpenVolume] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def protected(self) -> set[str]:
        lately = {v for v, at in self.touched_s.items() if self.now_s - at < GRACE_S}
        return lately | set(self.users)

    async def announced(self, volume: str) -> None:
        opened = await self.shelf.open(volume, announcement(IMAGE, CHUNKS))
        if volume not in self.protected():
            found = {KEYS[4 * y + x] for y, x in np.argwhere(opened.staged.marks == HELD)}
            assert found in (self.held.get(volume, set()), set())
            self.held[volume] = found
        self.touched_s[volume] = self.now_s
        try:
            self.shelf.settle(volume, "staged")
        except QuotaExceeded:
            self.touched_s.pop(volume)

    @rule(volume=VOLUMES)
    def announce(self, volume: str) -> None:
        self.do(self.announced(volume))

    @rule(volume=VOLUMES, ttl_s=st.sampled_from([0.0, TTL_S]))
    def announce_while_collecting(self, volume: str, ttl_s: float) -> None:
        async def both() -> None:
            await asyncio.gather(self.shelf.collect_unused(ttl_s), self.announced(volume))

        self.do(both())

    @rule(volume=VOLUMES, key=st.sampled_from(KEYS))
    def send(self, volume: str, key: str) -> None:
        opened = self.shelf.at_hand(volume)
        if opened is not None and volume in self.protected():
            fits = self.area.bytes_held + CHUNK_BYTES <= QUOTA
            if opened.slots is not None and opened.staged.held >= opened.slots:
                return
            while not fits and self.do(self.shelf.collect_oldest()):
                fits = self.area.bytes_held + CHUNK_BYTES <= QUOTA
            if self.users.get(volume) or volume in self.touched_s:
                assert fits, "what was promised must have room"
            self.area.put(opened.staged, key, bytes(CHUNK_BYTES))
            self.held[volume].add(key)

    @rule(volume=VOLUMES)
    def begin_run(self, volume: str) -> None:
        if volume in self.touched_s and volume in self.protected():
            self.shelf.use(volume)
            self.users[volume] = self.users.get(volume, 0) + 1
            self.runs[volume] = self.shelf.in_use(volume)

    @rule(volume=VOLUMES)
    def end_run(self, volume: str) -> None:
        if volume in self.users:
            self.shelf.leave(volume)
            self.touched_s[volume] = self.now_s
            self.users[volume] -= 1
            if not self.users[volume]:
                del self.users[volume], self.runs[volume]

    @rule(seconds=st.sampled_from([1.0, GRACE_S, TTL_S + 1]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(ttl_s=st.sampled_from([0.0, TTL_S]))
    def collect(self, ttl_s: float) -> None:
        assert not set(self.do(self.shelf.collect_unused(ttl_s))) & self.protected()

    @rule()
    def collect_for_room(self) -> None:
        self.do(self.shelf.collect_oldest())

    @invariant()
    def nothing_in_use_is_lost(self) -> None:
        for volume in self.protected():
            root = self.area.root / volume / "array"
            assert all((root / key).exists() for key in self.held[volume])
        for volume, opened in self.runs.items():
            assert self.shelf.in_use(volume) is opened
            assert opened.staged.held == len(self.held[volume])

    @invariant()
    def the_quota_is_kept(self) -> None:
        assert self.area.bytes_held <= QUOTA
        on_disk = sum(path.stat().st_size for path in self.area.root.glob("*/array/c/*/*"))
        assert self.area.bytes_held == on_disk

    def teardown(self) -> None:
        self.do(self.shelf.collect_unused(0.0))
        self.now_s += 10 * TTL_S
        self.do(self.shelf.collect_unused(TTL_S))
        assert len(list(self.shelf.opened())) == len(self.users)
        self.threads.shutdown()
        self.loop.close()
        self.folder.cleanup()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_volume_that_is_going_is_opened_once_it_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area, may_go = StagingArea(tmp_path, QUOTA), threading.Event()
    inner = area.remove

    def slowly(volume: str) -> None:
        may_go.wait(30.0)
        inner(volume)

    async def story(shelf: Shelf) -> None:
        request = announcement(IMAGE, CHUNKS)
        area.put((await shelf.open("v", request)).staged, KEYS[0], bytes(CHUNK_BYTES))
        going = asyncio.ensure_future(shelf.collect("v"))
        await asyncio.sleep(0)
        coming = asyncio.ensure_future(shelf.open("v", request))
        assert await asyncio.wait([coming], timeout=0.05) == (set(), {coming})
        may_go.set()
        assert await going
        assert (await coming).staged.held == 0

    monkeypatch.setattr(area, "remove", slowly)
    with ThreadPoolExecutor(2) as threads:
        asyncio.run(story(Shelf(area, threads, QUOTA, grace_s=0.0)))
    assert not list(tmp_path.rglob("c"))


def test_a_volume_is_opened_at_whatever_step_of_its_going(tmp_path: Path) -> None:
    request = announcement(IMAGE, CHUNKS)

    async def story(shelf: Shelf) -> None:
        going = asyncio.ensure_future(shelf.wipe("v"))
        coming = []
        while not going.done():
            coming.append(asyncio.ensure_future(shelf.open("v", request)))
            await asyncio.sleep(0)
        assert all(opened.staged.held == 0 for opened in await asyncio.gather(*coming))

    with ThreadPoolExecutor(2) as threads:
        shelf = Shelf(StagingArea(tmp_path, QUOTA), threads, QUOTA, grace_s=0.0)
        for _ in range(20):
            asyncio.run(story(shelf))


def live(folder: Path, **changes: Any) -> LiveBackend:  # noqa: ANN401 # settings
    return LiveBackend(folder, FakeEngine(MODELS), CARDS, changes)


def later(backend: LiveBackend, **by: float) -> None:
    """Let the backend believe that time has passed."""
    shelf = backend.app.state.services.volumes.shelf
    inner = shelf.clock
    shelf.clock = lambda: inner() + timedelta(**by).total_seconds()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PERIOD_S", 0.02)


def sweep(user: User) -> None:
    """Let the collector sweep a few times."""
    for _ in range(3):
        time.sleep(0.05)  # nothing tells of a sweep that took nothing
        assert user.http.get(wire.HEALTH).status_code == 200


def test_a_collected_volume_is_wanted_again(tmp_path: Path) -> None:
    image = np.random.default_rng(5).integers(0, 256, (8, 16, 16)).astype("uint8")
    with live(tmp_path, volume_ttl_s=3600.0) as backend, backend.client() as http:
        user = User(http, image, (4, 8, 8))
        user.announce()
        run = user.finish(user.start("copy").id)
        sweep(user)
        assert user.announce().chunks_held == 8
        later(backend, hours=2)
        wait_until(lambda: not list((tmp_path / "volumes").rglob("c")))
        assert user.announce().chunks_held == 0
        user.sent.clear()
        again = user.finish(user.start("copy").id)
        assert len(user.sent) == 8
        assert again.results == run.results
        assert user.output(run.id, "out").any()


def test_old_results_go_only_if_asked_for(tmp_path: Path) -> None:
    image = np.random.default_rng(5).integers(0, 256, (8, 16, 16)).astype("uint8")
    with live(tmp_path) as backend, backend.client() as http:
        user = User(http, image, (4, 8, 8))
        user.announce()
        run = user.finish(user.start("copy").id)
        later(backend, days=1000)
        sweep(user)
        assert (tmp_path / "runs" / run.id).exists()
    with live(tmp_path, run_ttl_s=3600.0) as backend, backend.client() as http:
        user.http = http
        sweep(user)
        assert (tmp_path / "runs" / run.id).exists()
        later(backend, hours=2)
        wait_until(lambda: not (tmp_path / "runs" / run.id).exists())
        assert http.get(wire.run(run.id)).json()["state"] == "done"
        assert http.get(wire.output(run.id, "out", "zarr.json")).status_code == 404


def test_room_is_made_by_the_volume_that_was_unused_for_longest(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    chunk = 8 * 16 * 16
    with live(tmp_path, staging_quota_bytes=20 * chunk) as backend, backend.client() as http:
        users = [
            User(http, rng.integers(0, 256, (8, 32, 64)).astype("uint8"), (8, 16, 16))
            for _ in range(3)
        ]
        for user in users:
            assert user.announce().request.mode == "staged"
            assert user.finish(user.start("copy").id).state == "done"
            later(backend, hours=1)
        held = [user.announce().chunks_held for user in users]
        assert held == [0, 8, 8]
        wait_until(lambda: not list((tmp_path / "volumes").glob("*.gone")))
