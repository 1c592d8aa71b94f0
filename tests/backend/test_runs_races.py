"""Whoever cancels and resumes a run, in whatever order, at once: it has one course and one end."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.schema import ChunkDone, StateChanged, wire

BLOCK = {"z": 8, "y": 8, "x": 8}
IN_THE_AIR = 8
NEXT = {
    "": {"queued"},
    "queued": {"running", "cancelled"},
    "running": {"joining", "cancelled"},
    "joining": {"done", "cancelled"},
    "cancelled": {"queued"},
    "done": set[str](),
}
Crowd = list[str]
"""What several clients ask for at the same time."""

crowds = st.lists(st.sampled_from(["cancel", "resume"]), min_size=1, max_size=4)
courses = st.lists(st.tuples(crowds, st.floats(0, 0.15)), min_size=1, max_size=6)


def ask(user: User, run: str, what: str) -> None:
    found = user.post(wire.cancel(run) if what == "cancel" else wire.resume(run), None, 200).json()
    assert found["id"] == run


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(course=courses)
def test_a_run_has_one_course_and_one_end(
    tmp_path_factory: pytest.TempPathFactory, course: list[tuple[Crowd, float]]
) -> None:
    engine = FakeEngine(MODELS, delay_s=0.004)
    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    folder: Path = tmp_path_factory.mktemp("races")
    with LiveBackend(folder, engine, CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        run = user.start("components", block=BLOCK)
        with user.feeding():
            for crowd, pause_s in course:
                time.sleep(pause_s)  # a moment of any kind
                threads = [threading.Thread(target=ask, args=(user, run.id, w)) for w in crowd]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        ask(user, run.id, "resume")
        assert user.finish(run.id).state == "done"
        followed = list(user.events(run.id))
        calm = user.start("components", block=BLOCK)
        assert user.finish(calm.id).results == user.get(run.id).results
        stops = kept_states(live, run.id)
        assert list(user.events(run.id, followed[-2].number)) == followed[-1:]
    assert [event.number for event in followed] == sorted({event.number for event in followed})
    heard = [event.state for event in followed if isinstance(event, StateChanged)]
    assert heard.count("done") == 1
    assert "cancelled" not in heard
    final = [event.key for event in followed if isinstance(event, ChunkDone) and event.final]
    assert len(final) == len(set(final)) == run.plan.blocks
    computed = len(engine.requests) - run.plan.blocks
    assert computed <= run.plan.blocks + stops * IN_THE_AIR


def kept_states(live: LiveBackend, run: str) -> int:
    """Check the whole course as it is kept, and return how often it was stopped."""
    import sqlite3

    with sqlite3.connect(live.folder / "backend.sqlite") as database:
        query = "SELECT body FROM events WHERE run = ? ORDER BY number"
        bodies = [body for (body,) in database.execute(query, (run,))]
    database.close()
    states = [
        StateChanged.model_validate_json(body).state for body in bodies if '"kind":"state"' in body
    ]
    for before, after in zip(["", *states], states, strict=False):
        assert after in NEXT[before], states
    return states.count("cancelled")
