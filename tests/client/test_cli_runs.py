"""What `hmz runs` says of each run."""

from napari_hmz.cli.runs import progress, started
from napari_hmz.schema import Progress, Run, RunState
from napari_hmz.testing.fake_run import fake_run


def a_run(run_state: RunState, *, seconds_left: float | None = None) -> Run:
    how_far = Progress(blocks_done=3, seconds_left=seconds_left)
    known = fake_run()
    plan = known.plan.model_copy(update={"blocks": 9})
    return known.model_copy(update={"state": run_state, "progress": how_far, "plan": plan})


def test_progress_tells_the_time_left_only_of_what_goes_on() -> None:
    assert progress(a_run("running", seconds_left=75)) == "3/9 blocks, 1 min 15 s left"
    assert progress(a_run("done", seconds_left=75)) == "3/9 blocks"


def test_times_are_this_machine_s() -> None:
    run = a_run("done").model_copy(update={"created_at": "2026-01-02T03:04:05.678+00:00"})
    assert len(started(run)) == len("2026-01-02 03:04")
    assert started(run).startswith("2026-01-0")
