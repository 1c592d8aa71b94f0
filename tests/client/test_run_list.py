"""What a list of runs says of each: state, progress, age, and what can be done."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.errors import EngineUnavailable
from napari_hmz.run_list import RunAction, age_words, lacks_image, row_of, state_words
from napari_hmz.schema import OutputResult, Progress, Run, RunState, to_problem
from napari_hmz.schema.run import Waiting
from napari_hmz.testing.fake_run import fake_run

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def a_run(
    state: RunState,
    *,
    blocks_done: int = 3,
    waiting_for: Waiting = "",
    voxels_per_s: float | None = None,
    seconds_left: float | None = None,
    position: int = 0,
    wait_s: float | None = None,
) -> Run:
    known = fake_run()
    progress = Progress(
        blocks_done=blocks_done,
        waiting_for=waiting_for,
        voxels_per_s=voxels_per_s,
        seconds_left=seconds_left,
        position=position,
        wait_s=wait_s,
    )
    plan = known.plan.model_copy(update={"blocks": 9})
    changes = {"state": state, "progress": progress, "plan": plan, "results": ()}
    return known.model_copy(update=changes)


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
    assert state_words(run) == words


def test_a_failed_run_says_why() -> None:
    error = to_problem(EngineUnavailable("Gone."))
    failed = a_run("failed").model_copy(update={"error": error})
    assert state_words(failed) == "failed (engine-unavailable)"


@pytest.mark.parametrize(
    ("state", "can"),
    [
        ("queued", {"attach", "cancel"}),
        ("running", {"attach", "cancel"}),
        ("joining", {"attach", "cancel"}),
        ("done", {"load", "remove"}),
        ("failed", {"load", "retry", "remove"}),
        ("cancelled", {"load", "retry", "remove"}),
    ],
)
def test_what_can_be_done_depends_on_how_it_stands(state: RunState, can: set[RunAction]) -> None:
    row = row_of(a_run(state), NOW)
    assert row.actions == can
    assert row.opening == next((one for one in ("attach", "load") if one in can), None)


def test_of_a_run_that_was_stopped_before_anything_was_done_nothing_is_loaded() -> None:
    assert row_of(a_run("cancelled", blocks_done=0), NOW).actions == {"retry", "remove"}


@pytest.mark.parametrize(
    ("state", "needed", "held", "lacks"),
    [
        ("running", 0, 0, True),  # nothing is planned yet
        ("running", 9, 3, True),
        ("running", 9, 9, False),
        ("cancelled", 9, 3, True),
        ("done", 9, 3, False),  # what is done with is dropped from a stream
    ],
)
def test_an_image_is_lacking_until_all_of_it_was_sent(
    state: RunState, needed: int, held: int, *, lacks: bool
) -> None:
    progress = Progress(chunks_needed=needed, chunks_held=held)
    assert lacks_image(a_run(state).model_copy(update={"progress": progress})) == lacks


@given(done=st.integers(0, 20))
def test_only_what_is_done_is_at_100_percent(done: int) -> None:
    """Labels are still joined once all blocks are done."""
    assert row_of(a_run("done", blocks_done=done), NOW).percent == 100
    assert 0 <= row_of(a_run("joining", blocks_done=done), NOW).percent <= 99


def test_a_run_that_goes_on_tells_its_rate_and_the_time_left() -> None:
    going = a_run("running", voxels_per_s=2.5e6, seconds_left=75)
    assert row_of(going, NOW).percent == 33
    assert row_of(going, NOW).detail == "3 of 9 blocks · 2.5 M voxels/s · 1 min 15 s left"


def test_a_run_that_waits_tells_its_place_and_when_it_begins() -> None:
    row = row_of(a_run("queued", position=2, wait_s=90, waiting_for="queue"), NOW)
    assert row.state == "waiting in the queue (place 2)"
    assert row.detail.endswith("begins in about 1 min 30 s")


def test_a_run_that_has_ended_tells_what_it_found_and_no_rate() -> None:
    found = (OutputResult(name="cells", objects=7), OutputResult(name="image"))
    ended = a_run("done", blocks_done=9, voxels_per_s=2.5e6, seconds_left=75)
    row = row_of(ended.model_copy(update={"results": found}), NOW)
    assert row.detail == "9 of 9 blocks · 7 objects in cells"


def test_it_names_model_image_and_starter() -> None:
    shell = a_run("done")
    request = shell.request.model_copy(update={"started_by": "shell"})
    row = row_of(shell.model_copy(update={"request": request}), NOW)
    assert (row.model, row.volume, row.started_by) == ("m 1", "n", "the shell")
    assert row.origin == "m 1 · unknown from the shell"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-40), "just now"),  # the backend's clock is ahead
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=119), "1 h ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=40), "40 days ago"),
    ],
)
def test_an_age_is_told_in_the_largest_unit(ago: timedelta, words: str) -> None:
    assert age_words((NOW - ago).isoformat(), NOW) == words


@pytest.mark.parametrize("moment", ["now", "", "2026-01-02T11:00:00"])
def test_a_moment_that_cannot_be_read_is_no_fault(moment: str) -> None:
    assert age_words(moment, NOW) == "unknown"
