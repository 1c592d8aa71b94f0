import io
import json
from collections.abc import Iterator
from typing import cast

import pytest
import typer
from rich.console import Console

from napari_hmz import schema
from napari_hmz.cli.follow import Bar, Lines, follow
from napari_hmz.errors import Conflict, RunFailed
from napari_hmz.schema import Event, Progress, Progressed, StateChanged
from napari_hmz.standing import Gauge, Standing
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.transfer import Traffic

DONE = cast("schema.Run", object())
PLAN = fake_run().plan.model_copy(update={"warnings": ("Nuclei are larger.",)})
EVENTS: list[Event] = [
    StateChanged(number=1, state="queued"),
    StateChanged(number=2, state="running"),
    Progressed(
        number=3,
        progress=Progress(
            blocks_done=1,
            blocks_total=4,
            voxels_done=1000,
            voxels_per_s=2.5e6,
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
        self.plan = PLAN

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
    assert lines[:2] == ["note: Nuclei are larger.", "r-1 started"]
    doing = [line.split(":")[0].removeprefix("r-1 ") for line in lines[2:]]
    assert doing == [
        "waiting for the server (queue)",
        "computing",
        "waiting for the image",
        "done",
    ]


def test_lines_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(Scripted(), as_json=True) is DONE
    told = capsys.readouterr()
    assert told.out == ""
    documents = [json.loads(line) for line in told.err.splitlines()]
    assert [each["doing"] for each in documents] == ["queue", "computing", "image", "done"]
    assert documents[2]["run"] == "r-1"
    assert documents[2]["voxels_per_s"] == 2.5e6
    assert documents[2]["seconds_left"] == 75


def test_lines_tell_at_once_what_is_awaited_and_do_not_flood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines("r-1")
    for _ in range(20):
        lines.show(Standing("computing"))
        lines.show(Standing("engine"))
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == [
        "r-1 computing",
        "r-1 waiting for the server (engine)",
    ]


def test_a_line_tells_the_place_in_the_queue_and_the_wait(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Lines("r-1").show(Standing("queue", position=3, wait_s=90))
    assert capsys.readouterr().err.startswith(
        "r-1 waiting in the queue (place 3): begins in about 1 min 30 s, "
    )


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
    gauge = Gauge(run.transfer)
    with Bar(gauge, Console(file=screen, force_terminal=True, width=140)) as bar:
        for event in EVENTS[:3]:
            gauge.note(event)
        bar.show(gauge.standing())
        bar._bar.refresh()
        bar.settle()
    shown = screen.getvalue()
    for words in ("25%", "2.5 M voxels/s", "1 min 15 s left", "↑ 2.0 KiB", "writing the output"):
        assert words in shown


def test_who_cannot_send_the_image_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Or one waits for ever, and does not know for what."""
    run = Scripted()
    run.transfer = Traffic(Conflict("The image is not here.", remedy="Give it."))
    follow(run)
    lines = capsys.readouterr().err.splitlines()
    place = lines.index("note: The image is not here. Give it.")
    assert "waiting for the image" in lines[place - 1]
    follow(run, as_json=True)
    documents = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    lacks = [each["doing"] for each in documents if each["lack"]]
    assert lacks == ["image"]


def test_a_bar_names_once_what_cannot_be_sent() -> None:
    screen, waits = io.StringIO(), Standing("image", lack="The image is not here.")
    with Bar(Gauge(Traffic()), Console(file=screen, force_terminal=True, width=140)) as bar:
        for _ in range(3):
            bar.show(waits)
    assert screen.getvalue().count("note: The image is not here.") == 1


def test_lines_name_what_a_run_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines("r-1") as lines:
        lines.show(Standing("link", blocks_done=1, blocks_total=4, bytes_up_per_s=2048.0))
    told = capsys.readouterr().err
    assert "waiting for the link: 1/4 blocks, ↑ 0 B (2.0 KiB/s) ↓ 0 B" in told


def test_what_is_not_known_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    Lines("r-1").show(Standing("computing"))
    told = capsys.readouterr().err
    assert "left" not in told
    assert "voxels" not in told
