"""Volumes that are larger than their room: they pass through, and nothing else changes."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmz_backend.stores.staged import StagedVolume
from hmz_backend.stores.staging import StagingArea
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.schema import Problem, wire

IMAGE = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
CHUNKS = (8, 16, 16)
CHUNK_BYTES = 2048 + 10 + 64  # what a chunk may take at most
NONE = {"z": 0, "y": 0, "x": 0}
BLOCK = {"z": 4, "y": 8, "x": 8}
SLOTS = 12  # a tile of these blocks reads eight chunks


@pytest.fixture
def most_held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of one: how many chunks were ever held at once."""
    most = [0]
    inner = StagingArea.put

    def put(
        area: StagingArea, staged: StagedVolume, key: str, body: bytes, sha256: bytes | None
    ) -> None:
        inner(area, staged, key, body, sha256)
        most[0] = max(most[0], staged.held)

    monkeypatch.setattr(StagingArea, "put", put)
    return most


@contextmanager
def tight(folder: Path, engine: FakeEngine, **changes: Any) -> Iterator[User]:  # noqa: ANN401 # settings
    settings = {"staging_quota_bytes": SLOTS * CHUNK_BYTES, **changes}
    with LiveBackend(folder, engine, CARDS, settings) as live, live.client() as http:
        yield User(http, IMAGE, CHUNKS)


def area_of(user: User, folder: Path) -> set[str]:
    """Return the chunks of the user's volume that are on disk."""
    root = folder / "volumes" / user.volume / "array" / "c"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_an_image_larger_than_the_quota_passes_through(
    tmp_path: Path, engine: FakeEngine, most_held: list[int]
) -> None:
    with tight(tmp_path, engine) as user:
        assert user.announce().request.mode == "stream"
        run = user.start("copy", block=BLOCK)
        assert any("stream" in warning for warning in run.plan.warnings)
        run = user.finish(run.id)
        assert run.state == "done"
        np.testing.assert_array_equal(user.output(run.id, "out"), IMAGE)
        assert run.progress.chunks_held == run.progress.chunks_needed == 36
        assert 8 <= most_held[0] <= SLOTS
        wait_until(lambda: not area_of(user, tmp_path))
        assert user.announce().chunks_held == 0


def test_a_second_run_has_everything_sent_again(tmp_path: Path, engine: FakeEngine) -> None:
    with tight(tmp_path, engine) as user:
        user.announce()
        for _ in range(2):
            run = user.finish(user.start("copy", block=BLOCK).id)
            assert run.state == "done"
            assert set(user.sent) >= {f"c/{z}/{y}/{x}" for z, y, x in np.ndindex(3, 4, 3)}
            user.sent.clear()


def test_an_image_stored_by_planes_passes_through_slab_by_slab(
    tmp_path: Path, engine: FakeEngine
) -> None:
    image = np.random.default_rng(5).integers(0, 256, (64, 50, 44)).astype("uint8")
    four_slabs = 4 * 12
    with tight(tmp_path, engine, staging_quota_bytes=four_slabs * CHUNK_BYTES) as user:
        user.array = image
        user.more["together"] = {"z": 8, "y": 50, "x": 44}
        assert user.announce().request.mode == "stream"
        run = user.finish(user.start("copy", block=BLOCK).id)
        assert run.state == "done"
        assert len(user.sent) == len(set(user.sent)) == 2 * four_slabs
        slabs = [int(key.split("/")[1]) for key in user.sent]
        latest = itertools.accumulate(slabs, max)
        assert all(slab >= last - 1 for slab, last in zip(slabs, latest, strict=True))


def test_runs_that_follow_other_orders_all_get_on(
    tmp_path: Path, engine: FakeEngine, most_held: list[int]
) -> None:
    with tight(tmp_path, engine) as user:
        user.announce()
        models = ("copy", "blended", "components")
        runs = [user.start(model, block=BLOCK) for model in models]
        for run, (low, high) in zip(runs, ((0, 4), (40, 44), (20, 24)), strict=True):
            user.post(wire.focus(run.id), {"region": {"x": (low, high), "y": (low, high)}})
        ended = [user.finish(run.id) for run in runs]
        assert [run.state for run in ended] == ["done"] * 3
        assert most_held[0] <= SLOTS
        np.testing.assert_array_equal(user.output(runs[0].id, "out"), IMAGE)
        np.testing.assert_array_equal(user.output(runs[1].id, "out"), IMAGE)


def test_a_tile_that_needs_more_than_the_room_is_refused_before_anything_is_sent(
    tmp_path: Path, engine: FakeEngine
) -> None:
    with tight(tmp_path, engine, stream_bytes=7 * CHUNK_BYTES) as user:
        user.announce()
        body = {"model": "copy", "volume": user.volume, "block": BLOCK}
        for path in (wire.PLANS, wire.RUNS):
            found = Problem.model_validate_json(user.post(path, body, 413).content)
            assert found.code == "quota-exceeded"
            assert "reads 8 chunks" in found.detail
            assert "7 (" in found.detail
            assert "smaller block" in found.remedy
        small = user.start("copy", block={"z": 4, "y": 4, "x": 4}, halo=NONE)
        assert small.state == "queued"


def test_no_room_for_one_chunk_refuses_the_announcement(tmp_path: Path, engine: FakeEngine) -> None:
    with tight(tmp_path, engine, staging_quota_bytes=CHUNK_BYTES - 1) as user:
        request = announcement(IMAGE, CHUNKS).model_dump(mode="json")
        found = Problem.model_validate_json(user.post(wire.VOLUMES, request, 413).content)
        assert found.code == "quota-exceeded"
        assert "other runs have ended" in found.remedy


def test_a_client_may_ask_for_a_stream(tmp_path: Path, engine: FakeEngine) -> None:
    with tight(tmp_path, engine, staging_quota_bytes=10**9) as user:
        assert user.announce().request.mode == "staged"
        user.more["mode"] = "stream"
        assert user.announce().request.mode == "stream"
        run = user.finish(user.start("copy", block=BLOCK).id)
        assert run.state == "done"
        wait_until(lambda: not area_of(user, tmp_path))
        user.more["mode"] = "staged"
        wait_until(lambda: user.announce().request.mode == "staged")  # not while a run uses it
        user.finish(user.start("copy", block=BLOCK).id)
        assert len(area_of(user, tmp_path)) == 36


def test_cancelling_frees_what_was_held(tmp_path: Path, engine: FakeEngine) -> None:
    engine._delay_s = 0.05
    with tight(tmp_path, engine) as user:
        user.announce()
        run = user.start("copy", block=BLOCK)
        with user.feeding():
            wait_until(lambda: user.get(run.id).progress.blocks_done > 3)
            assert area_of(user, tmp_path)
            user.post(wire.cancel(run.id), None)
        wait_until(lambda: not area_of(user, tmp_path))


def test_after_a_restart_the_rest_is_wanted_again(tmp_path: Path, engine: FakeEngine) -> None:
    engine._delay_s = 0.02
    with tight(tmp_path, engine) as user:
        user.announce()
        run = user.start("copy", block=BLOCK)
        with user.feeding():
            wait_until(lambda: user.get(run.id).progress.blocks_done > 20)
        before = user.get(run.id).progress.blocks_done
    with tight(tmp_path, FakeEngine(MODELS)) as user:
        user.volume = run.request.volume
        found = user.finish(run.id)
        assert found.state == "done"
        assert before < found.plan.blocks
        np.testing.assert_array_equal(user.output(run.id, "out"), IMAGE)


def test_what_nobody_waits_for_is_checked_and_let_go(tmp_path: Path, engine: FakeEngine) -> None:
    with tight(tmp_path, engine) as user:
        user.announce()
        bodies = encoded_chunks(IMAGE, CHUNKS)
        for key, body in bodies.items():
            assert user.put(key, body).status_code == 204
        assert user.put("c/0/0/0", bodies["c/0/0/0"][:-3]).status_code == 422
        assert not area_of(user, tmp_path)


def test_several_clients_send_no_more_than_the_room_holds(
    tmp_path: Path, engine: FakeEngine, most_held: list[int]
) -> None:
    with tight(tmp_path, engine) as user:
        user.announce()
        run = user.start("copy", block={"z": 8, "y": 16, "x": 16}, halo=NONE)
        stop = threading.Event()
        clients = [threading.Thread(target=user.feed, args=(stop,)) for _ in range(3)]
        for client in clients:
            client.start()
        wait_until(lambda: user.get(run.id).state == "done")
        stop.set()
        for client in clients:
            client.join()
        assert most_held[0] <= SLOTS
