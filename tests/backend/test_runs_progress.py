"""What a run tells while it goes: what it waits for, and a rate and time left that come true."""

import time
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.schema import Plan, Progress, Progressed, RunRequest, wire

TILE_S = 0.04
BLOCK = {"z": 4, "y": 10, "x": 11}
BLOCKS = 100


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(MODELS, instances=1, delay_s=TILE_S)


@pytest.fixture
def user(tmp_path: Path, engine: FakeEngine) -> Iterator[User]:
    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    with LiveBackend(tmp_path / "data", engine, CARDS) as live, live.client() as http:
        yield User(http, image, (20, 16, 16))


def told(user: User, run: str) -> list[tuple[float, Progress]]:
    """Return when the run told of its progress, and what."""
    return [
        (time.monotonic(), event.progress)
        for event in user.events(run)
        if isinstance(event, Progressed)
    ]


def test_the_rate_comes_true_and_the_next_plan_knows_it(user: User) -> None:
    user.announce()
    request = RunRequest(model="copy", volume=user.volume, block=BLOCK)
    before = Plan.model_validate_json(
        user.post(wire.PLANS, request.model_dump(mode="json")).content
    )
    assert before.blocks == BLOCKS
    assert not before.measured
    run = user.start("copy", block=BLOCK)
    with user.feeding():
        seen = told(user, run.id)
    ended_s = seen[-1][0]
    assert seen[0][1].waiting_for == "chunks"
    rated = [(at_s, each) for at_s, each in seen if each.seconds_left and each.voxels_per_s]
    assert rated
    for at_s, progress in rated:
        left_s, rate = progress.seconds_left, progress.voxels_per_s
        assert left_s is not None
        assert rate is not None
        assert rate <= 1.05 * prod(before.block.values()) / TILE_S  # whole blocks, back to back
        assert left_s < 3 * (ended_s - at_s) + 1
    again = Plan.model_validate_json(user.post(wire.PLANS, request.model_dump(mode="json")).content)
    assert again.measured
    assert again.seconds is not None
    assert again.seconds > 0.8 * BLOCKS * TILE_S


def test_a_run_behind_another_waits_for_the_queue(user: User, engine: FakeEngine) -> None:
    user.announce()
    engine._delay_s = 0.2  # the wait is then longer than the pause between two words of progress
    first = user.start("copy", block=BLOCK)
    with user.feeding():
        while user.get(first.id).progress.blocks_done < 2:
            time.sleep(0.02)  # its blocks are then ahead of all others
        second = user.start("copy", block=BLOCK)
        words = (event.progress for event in user.events(second.id) if event.kind == "progress")
        assert any(progress.waiting_for == "queue" for progress in words)
        engine._delay_s = 0.0
        list(user.events(second.id))
    assert user.get(second.id).state == "done"
