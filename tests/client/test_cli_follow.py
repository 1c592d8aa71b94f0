import io
from collections.abc import Iterator
from typing import cast

import pytest
import typer
from rich.console import Console

from napari_hmz import schema
from napari_hmz.cli.follow import Bar, Lines, Rate, follow
from napari_hmz.errors import RunFailed
from napari_hmz.schema import Event, Progress, Progressed, StateChanged
from napari_hmz.transfer import Traffic

DONE = cast("schema.Run", object())
EVENTS: list[Event] = [
    StateChanged(number=1, state="queued"),
    StateChanged(number=2, state="running"),
    Progressed(
        number=3,
        progress=Progress(
            blocks_done=1,
            blocks_total=4,
            voxels_done=1000,
            waiting_for="chunks",
            seconds_left=75.0,
        ),
    ),
    StateChanged(number=4, state="done"),
]


class Scripted:
    """A run that tells its events, and then ends as it is told to."""

    def __init__(self, end: BaseException | None = None) -> None:
        self.id, self.transfer, self.closed, self.end = "r-1", Traffic(), False, end

    def watch(self) -> Iterator[Event]:
        yield from EVENTS

    def wait(self) -> schema.Run:
        if self.end is not None:
            raise self.end
        return DONE

    def close(self) -> None:
        self.closed = True


def test_lines_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(Scripted()) is DONE
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0] == "r-1 started"
    doing = [line.split(":")[0].removeprefix("r-1 ") for line in lines[1:]]
    assert doing == ["queued", "running", "waits for the image", "done"]


def test_lines_tell_at_once_what_is_awaited_and_do_not_flood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines(Scripted())
    for _ in range(20):
        lines.show("running", Progress(), rate=0.0)
        lines.show("running", Progress(waiting_for="engine"), rate=0.0)
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == ["r-1 running", "r-1 waits for the engine"]


def test_ctrl_c_leaves_the_run_and_says_how_to_return(capsys: pytest.CaptureFixture[str]) -> None:
    run = Scripted(KeyboardInterrupt())
    with pytest.raises(typer.Exit) as raised:
        follow(run)
    assert raised.value.exit_code == 130
    assert run.closed
    assert "hmz attach r-1" in capsys.readouterr().err


def test_errors_pass_through() -> None:
    with pytest.raises(RunFailed):
        follow(Scripted(RunFailed()))


def test_a_bar_for_a_terminal() -> None:
    screen = io.StringIO()
    run = Scripted()
    run.transfer.sent(2048)
    with Bar(run, Console(file=screen, force_terminal=True, width=120)) as bar:
        bar.show("running", cast("Progressed", EVENTS[2]).progress, rate=2.5e6)
        bar.settle()
    shown = screen.getvalue()
    for words in ("25%", "2.5 M voxels/s", "1 min 15 s left", "↑ 2.0 KiB", "writes the output"):
        assert words in shown


def test_lines_name_what_a_run_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(Scripted()) as lines:
        lines.show("running", cast("Progressed", EVENTS[2]).progress, rate=0.0)
    assert "waits for the image: 1/4 blocks" in capsys.readouterr().err


def test_the_rate_forgets_what_was_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 20.0, 30.0, 40.0])
    monkeypatch.setattr("napari_hmz.cli.follow.time.monotonic", lambda: next(clock))
    rate = Rate()
    assert [rate.after(voxels) for voxels in (500, 1500, 2500, 2500, 2500)] == [
        0.0,
        100.0,
        100.0,
        0.0,
        0.0,
    ]
