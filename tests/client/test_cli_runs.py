"""What `hmz runs` says of each run."""

import pytest

from napari_hmz.cli.runs import progress, started, state
from napari_hmz.errors import EngineUnavailable
from napari_hmz.schema import Progress, Run, RunState, to_problem
from napari_hmz.schema.run import Waiting
from napari_hmz.testing.fake_run import fake_run


def a_run(
    run_state: RunState, *, waiting_for: Waiting = "", seconds_left: float | None = None
) -> Run:
    how_far = Progress(blocks_done=3, waiting_for=waiting_for, seconds_left=seconds_left)
    known = fake_run()
    plan = known.plan.model_copy(update={"blocks": 9})
    return known.model_copy(update={"state": run_state, "progress": how_far, "plan": plan})


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (a_run("queued"), "waiting for the server (queue)"),
        (a_run("running"), "computing"),
        (a_run("running", waiting_for="chunks"), "waiting for the image"),
        (a_run("running", waiting_for="engine"), "waiting for the server (engine)"),
        (a_run("done"), "done"),
        (a_run("cancelled"), "cancelled"),
    ],
)
def test_a_state_says_what_is_awaited(run: Run, words: str) -> None:
    assert state(run) == words


def test_a_failed_run_says_why() -> None:
    error = to_problem(EngineUnavailable("Gone."))
    assert (
        state(a_run("failed").model_copy(update={"error": error})) == "failed (engine-unavailable)"
    )


def test_progress_tells_the_time_left_only_of_what_goes_on() -> None:
    assert progress(a_run("running", seconds_left=75)) == "3/9 blocks, 1 min 15 s left"
    assert progress(a_run("done", seconds_left=75)) == "3/9 blocks"


def test_times_are_this_machine_s() -> None:
    run = a_run("done").model_copy(update={"created_at": "2026-01-02T03:04:05.678+00:00"})
    assert len(started(run)) == len("2026-01-02 03:04")
    assert started(run).startswith("2026-01-0")
