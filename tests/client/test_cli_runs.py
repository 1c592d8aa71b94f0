"""What `hmz runs` says of each run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from napari_hmz.cli.runs import progress, runs, started
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


def test_the_newest_are_listed_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [a_run("done").model_copy(update={"id": f"run-{n:03}"}) for n in range(50)]
    dated = [run.model_copy(update={"created_at": "2026-01-02T03:04:05+00:00"}) for run in found]

    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(runs=lambda: dated)

    monkeypatch.setattr(sys.modules[runs.__module__], "connect", connect)
    runs()
    told = capsys.readouterr()
    assert "run-039" in told.out
    assert "run-040" not in told.out
    assert "40 of 50" in told.err
    runs(everything=True)
    told = capsys.readouterr()
    assert "run-049" in told.out
    assert not told.err
