import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numcodecs.zstd import compress
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.runs import output_array
from hmz_backend.serving import ServingError
from hmz_backend.stores import atomic, staging
from hmz_backend.testing.cards import CARDS, MODELS, VERSION, copy
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.errors import DiskFull
from napari_hmz.schema import Problem, wire
from napari_hmz.schema.digest import content_digest


def problem(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == wire.PROBLEM_TYPE
    found = Problem.model_validate_json(answer.content)
    assert answer.status_code == found.status
    assert found.request_id == answer.headers[wire.REQUEST_ID_HEADER]
    return found


def test_bad_chunks_are_refused_and_not_held(user: User) -> None:
    user.announce()
    good = encoded_chunks(user.array, user.chunks)["c/0/0/0"]
    bomb = bytes(compress(bytes(2**24), 1))
    assert problem(user.put("c/0/0/0", good[:-7])).code == "chunk-corrupt"
    assert problem(user.put("c/0/0/0", bomb)).code == "chunk-too-large"
    assert problem(user.put("c/0/0/0", bytes(10**6))).code == "chunk-too-large"
    assert problem(user.put("c/9/9/9", good)).code == "not-found"
    wrong = {wire.DIGEST_HEADER: content_digest(b"something else")}
    assert problem(user.put("c/0/0/0", good, **wrong)).code == "digest-mismatch"
    assert user.announce().chunks_held == 0
    right = {wire.DIGEST_HEADER: content_digest(good)}
    assert user.put("c/0/0/0", good, **right).status_code == 204
    assert user.put("c/0/0/0", good).status_code == 204
    volume = user.announce()
    assert (volume.chunks_held, volume.bytes_held) == (1, len(good))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_fail_the_run(user: User, bad: float) -> None:
    user.array = user.array.astype("float32")
    user.array[7, 30, 40] = bad
    user.announce()
    run = user.finish(user.start("copy").id)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.code == "non-finite-data"
    assert run.error.remedy


def test_a_model_that_fails_fails_the_run_and_keeps_what_is_done(
    user: User, engine: FakeEngine
) -> None:
    def failing(request: TileRequest) -> Mapping[str, NDArray[Any]]:
        if request.inputs["image"].flat[0] == 255 and len(engine.requests) > 60:
            raise ServingError("bad tile", tensor="out")
        return copy(request)

    engine._models = {("copy", VERSION): failing}
    user.array[:] = 7
    user.array[10:, 30:, 30:] = 255
    user.announce()
    run = user.finish(user.start("copy", block={"z": 4, "y": 8, "x": 8}).id)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.code == "engine-failed"
    assert 0 < run.progress.blocks_done < run.plan.blocks
    assert user.output(run.id, "out").any()


def test_an_output_of_other_extents_is_not_trusted(user: User, engine: FakeEngine) -> None:
    engine._models = {("copy", VERSION): lambda request: {"out": request.inputs["image"][1:]}}
    user.announce()
    run = user.finish(user.start("copy").id)
    assert run.error is not None
    assert run.error.code == "engine-failed"


def test_a_full_disk_fails_the_run_with_a_remedy(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    inner = atomic.write_whole

    def full(path: Path, body: bytes) -> None:
        nonlocal written
        written += 1
        if written > 4:
            raise DiskFull("The backend's disk is full.")
        inner(path, body)

    monkeypatch.setattr(output_array, "write_whole", full)
    user.announce()
    run = user.finish(user.start("copy").id)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.code == "disk-full"


def test_a_full_disk_refuses_chunks(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.announce()

    def full(path: Path, body: bytes) -> None:
        raise DiskFull("The backend's disk is full.")

    monkeypatch.setattr(staging, "write_whole", full)
    body = encoded_chunks(user.array, user.chunks)["c/0/0/0"]
    answer = user.put("c/0/0/0", body)
    assert answer.status_code == 507
    assert problem(answer).code == "disk-full"


def test_a_run_waits_for_an_engine_that_is_down_and_goes_on(user: User, engine: FakeEngine) -> None:
    engine.available = False
    user.announce()
    run = user.start("copy")
    with user.feeding():
        wait_until(lambda: user.get(run.id).progress.waiting_for == "engine")
        health = user.http.get(wire.HEALTH).json()
        assert health["status"] == "degraded"
        assert "gone" in health["detail"]
        engine.available = True
        list(user.events(run.id))
    assert user.get(run.id).state == "done"
    assert user.http.get(wire.HEALTH).json()["status"] == "ok"
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


def test_an_engine_that_goes_away_in_the_middle_costs_nothing(
    user: User, engine: FakeEngine
) -> None:
    engine._delay_s = 0.02
    user.announce()
    run = user.start("components", block={"z": 8, "y": 8, "x": 8})
    with user.feeding():
        wait_until(lambda: len(engine.requests) > 10)
        engine.available = False
        wait_until(lambda: user.get(run.id).progress.waiting_for == "engine")
        engine.available = True
        list(user.events(run.id))
    assert user.get(run.id).state == "done"
    assert len(engine.requests) == run.plan.blocks


def test_a_run_without_chunks_says_what_it_waits_for(user: User) -> None:
    user.announce()
    run = user.start("copy")
    wait_until(lambda: user.get(run.id).progress.waiting_for == "chunks")
    assert user.wanted().active
    assert user.wanted().keys


def test_the_volume_of_a_run_is_in_use_from_the_first_moment(user: User) -> None:
    """Else a client that asks too early believes that nobody will ever want its chunks."""
    user.announce()
    assert not user.wanted().active
    for _ in range(5):
        run = user.start("copy")
        assert user.wanted(0).active
        user.post(wire.cancel(run.id), None)
        assert not user.wanted(0).active


def test_torn_chunks_are_wanted_again_after_a_restart(tmp_path: Path, engine: FakeEngine) -> None:
    image = np.random.default_rng(1).integers(0, 255, (20, 50, 44)).astype("uint8")
    with LiveBackend(tmp_path, engine, CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        user.finish(user.start("copy").id)
    path = tmp_path / "volumes" / user.volume / "array" / "c" / "1" / "1" / "1"
    path.write_bytes(path.read_bytes()[:-9])
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        assert user.announce().chunks_held == 3 * 4 * 3
        run = user.finish(user.start("copy").id)
        assert run.state == "done", run.error
        assert set(user.sent) == {"c/1/1/1"}
        np.testing.assert_array_equal(user.output(run.id, "out"), image)


def test_absent_chunks_are_fill_value_and_not_wanted(user: User) -> None:
    user.array[:8, :16, :16] = 0
    user.announce()
    user.post(wire.absent(user.volume), {"keys": ["c/0/0/0"]}, 204)
    run = user.finish(user.start("copy").id)
    assert run.state == "done"
    assert "c/0/0/0" not in user.sent
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


def test_a_second_run_on_held_data_wants_nothing(user: User, engine: FakeEngine) -> None:
    user.announce()
    user.finish(user.start("copy").id)
    assert len(user.sent) == len(set(user.sent)) == 3 * 4 * 3
    user.sent.clear()
    volume = user.announce()
    assert volume.chunks_held == volume.chunks_total == 36
    plan = user.post(wire.PLANS, {"model": "components", "volume": user.volume}).json()
    assert (plan["chunks_needed"], plan["bytes_up"]) == (0, 0)
    assert plan["seconds"] is None
    engine._delay_s = 0.01  # so that the engine, and not the looking after it, sets the pace
    run = user.start("components", block={"z": 4, "y": 8, "x": 8})
    list(user.events(run.id))
    assert user.get(run.id).state == "done"
    assert not user.wanted(0).keys
    assert user.sent == []
    again = user.post(wire.PLANS, {"model": "components", "volume": user.volume}).json()
    assert again["seconds"] > 0


def test_cancelling_stops_and_keeps_what_is_done(user: User, engine: FakeEngine) -> None:
    engine._delay_s = 0.05
    user.announce()
    run = user.start("copy", block={"z": 4, "y": 8, "x": 8})
    with user.feeding():
        wait_until(lambda: user.get(run.id).progress.blocks_done >= 4)
        stopped = user.post(wire.cancel(run.id), None).json()
        begun = len(engine.requests)
        assert stopped["state"] == "cancelled"
        assert stopped["error"]["code"] == "run-cancelled"
        time.sleep(0.2)  # whatever was still to come would come now
        assert len(engine.requests) == begun < run.plan.blocks
    last = list(user.events(run.id))[-1]
    assert last.kind == "state"
    assert last.state == "cancelled"
    assert user.output(run.id, "out").any()
    assert not user.wanted(0).active
    again = user.post(wire.cancel(run.id), None).json()
    assert again["state"] == "cancelled"


def test_what_is_looked_at_goes_first(user: User, engine: FakeEngine) -> None:
    user.announce()
    bodies = encoded_chunks(user.array, user.chunks)
    engine.available = False
    run = user.start("copy", block={"z": 4, "y": 8, "x": 8})
    region = {"z": [16, 20], "y": [40, 50], "x": [32, 44]}
    user.post(wire.focus(run.id), {"region": region}, 204)
    answers = (user.wanted().keys for _ in range(10))  # a run that has just begun wants nothing yet
    first = next(keys[0] for keys in answers if keys)
    assert first == "c/1/2/1"  # the tile of the first block there begins in this chunk
    for key, body in bodies.items():
        user.put(key, body)
    engine.available = True
    regions = [e.region for e in user.events(run.id) if e.kind == "chunk"]
    looked_at = [r["z"][0] >= 16 and r["y"][1] > 40 and r["x"][1] > 32 for r in regions]
    assert sum(looked_at) >= 4
    assert np.mean(np.flatnonzero(looked_at)) < len(looked_at) / 4


def test_many_runs_at_once_all_end(user: User) -> None:
    user.announce()
    runs = [user.start(name) for name in ("copy", "components", "blended") * 3]
    with user.feeding():
        for run in runs:
            list(user.events(run.id))
    assert {user.get(run.id).state for run in runs} == {"done"}
    assert len(set(user.sent)) == 36


def test_statistics_are_needed_where_the_model_scales_by_them(
    tmp_path: Path, engine: FakeEngine
) -> None:
    card = next(card for card in CARDS if card.id == "copy")
    scaled = card.model_copy(
        update={"normalise": card.normalise.model_copy(update={"scope": "volume"})}
    )
    image = np.full((8, 16, 16), 3, "uint8")
    with LiveBackend(tmp_path, engine, [scaled]) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        body = {"model": "copy", "volume": user.volume}
        assert "statistics" in user.post(wire.RUNS, body, 422).json()["detail"]
        channel = {"minimum": 3, "maximum": 3, "mean": 3, "std": 0}
        user.more = {
            "statistics": {"method": "exact", "sampled_voxels": 2048, "channels": [channel]}
        }
        user.announce()
        run = user.finish(user.start("copy").id)
        assert run.state == "done"
        assert run.provenance.statistics is not None
        assert engine.requests[0].statistics == run.provenance.statistics


def test_memory_holds_a_stated_number_of_tiles(user: User, engine: FakeEngine) -> None:
    held, most, lock = 0, 0, threading.Lock()

    class Watching(dict[str, Any]):
        def __init__(self, value: NDArray[np.generic]) -> None:
            nonlocal held, most
            super().__init__(out=value)
            with lock:
                held += 1
                most = max(most, held)

        def __del__(self) -> None:
            nonlocal held
            with lock:
                held -= 1

    engine._models = {("copy", VERSION): lambda request: Watching(request.inputs["image"])}
    user.announce()
    run = user.finish(user.start("copy", block={"z": 4, "y": 8, "x": 8}).id)
    assert run.plan.blocks > 100
    assert most <= 8


def test_a_fingerprint_of_another_image_is_a_conflict(user: User) -> None:
    user.announce()
    other = announcement(user.array[:10], user.chunks, fingerprint="f" * 20)
    user.post(wire.VOLUMES, json.loads(other.model_dump_json()))
    clash = announcement(user.array[:12], user.chunks, fingerprint="f" * 20)
    answer = user.post(wire.VOLUMES, json.loads(clash.model_dump_json()), 409)
    assert problem(answer).code == "conflict"
