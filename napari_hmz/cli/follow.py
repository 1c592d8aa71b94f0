"""Waiting for a run in a terminal: a bar with rate and time left, or lines for a log or a machine.

A terminal gets a bar that is drawn anew twice a second, whether the backend says something or not;
a log gets a line when something changes, as words or as JSON.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn
from rich.text import Text

from napari_hmz import schema
from napari_hmz.cli.exits import INTERRUPTED
from napari_hmz.quantities import count_text, size_text, time_text
from napari_hmz.schema import Event
from napari_hmz.standing import Doing, Gauge, Standing
from napari_hmz.transfer import Traffic

_LINE_EVERY_S = 10.0
_DRAWN_S = 0.5


class Followed(Protocol):
    """What following asks of a run; `napari_hmz.run.Run` is one."""

    id: str
    transfer: Traffic

    @property
    def plan(self) -> schema.Plan:
        """What it does."""

    def watch(self) -> Iterator[Event]:
        """Yield what happens until the run has ended."""

    def wait(self) -> schema.Run:
        """Wait until the output is written."""

    def close(self) -> None:
        """End this process's part."""


class Reporter(Protocol):
    """Shows where a run stands."""

    def show(self, standing: Standing) -> None:
        """Show it."""

    def settle(self) -> None:
        """Show that the run has ended and its output is being written."""


def follow(run: Followed, *, as_json: bool = False) -> schema.Run:
    """Show a run until it has ended and its output is written, and return it.

    Parameters
    ----------
    run
        What is followed.
    as_json
        Write JSON documents to standard error, one a line, instead of words.

    Raises
    ------
    typer.Exit
        With code 130 after Ctrl-C; the run goes on.
    HmzError
        As `Run.wait`.
    """
    gauge = Gauge(run.transfer)
    for warning in () if as_json else run.plan.warnings:
        typer.echo(f"note: {warning}", err=True)
    try:
        with _reporter(run, gauge, as_json=as_json) as reporter:
            for event in run.watch():
                if gauge.note(event):
                    reporter.show(gauge.standing())
            reporter.settle()
            return run.wait()
    except KeyboardInterrupt:
        run.close()
        typer.echo(
            f"\nRun {run.id} goes on at the backend with what it has of the image."
            f"\nTo return to it: hmz attach {run.id}\nTo stop it:      hmz cancel {run.id}",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _reporter(run: Followed, gauge: Gauge, *, as_json: bool) -> "AbstractContextManager[Reporter]":
    console = Console(stderr=True)
    if console.is_terminal and not as_json:
        return Bar(gauge, console)
    return Lines(run.id, as_json=as_json)


class Bar:
    """A bar that is drawn over, on standard error."""

    def __init__(self, gauge: Gauge, console: Console) -> None:
        self._settled = False
        self._lack = ""
        self._bar = Progress(
            _Told(gauge, self._doing),
            BarColumn(),
            TaskProgressColumn(),
            _Told(gauge, words),
            console=console,
        )
        self._task = self._bar.add_task("", total=None)

    def show(self, standing: Standing) -> None:
        """Draw the bar anew."""
        total = standing.blocks_total or None
        self._bar.update(self._task, total=total, completed=standing.blocks_done)
        if standing.lack and not self._lack:  # once
            self._lack = standing.lack
            self._bar.console.print(Text(f"note: {self._lack}"))

    def settle(self) -> None:
        """Say what is left to do."""
        self._settled = True

    def _doing(self, standing: Standing) -> str:
        return f"{'writing the output' if self._settled else standing.words:<31}"

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class _Told(ProgressColumn):
    """A column that reads the gauge whenever it is drawn: a lost link tells nothing by itself."""

    max_refresh = _DRAWN_S

    def __init__(self, gauge: Gauge, tell: Callable[[Standing], str]) -> None:
        super().__init__()
        self._gauge, self._tell = gauge, tell

    def render(self, task: Task) -> Text:  # noqa: ARG002 # rich asks with the task
        """Return what is to be read now."""
        return Text(self._tell(self._gauge.standing()))


class Lines:
    """A line when a run begins to do or to await something else, on standard error.

    While it goes to and fro between the same things, there is one line in ten seconds.
    """

    def __init__(self, run_id: str, *, as_json: bool = False) -> None:
        self._run_id, self._as_json = run_id, as_json
        self._shown: set[Doing] = set()
        self._shown_at_s = 0.0

    def show(self, standing: Standing) -> None:
        """Write a line, if it is time for one."""
        now_s = time.monotonic()
        if now_s - self._shown_at_s > _LINE_EVERY_S:
            self._shown.clear()
        if standing.doing not in self._shown:
            self._shown.add(standing.doing)
            self._shown_at_s = now_s
            typer.echo(self._line(standing), err=True)
            if standing.lack and not self._as_json:  # there it stands in the document
                typer.echo(f"note: {standing.lack}", err=True)

    def _line(self, standing: Standing) -> str:
        if self._as_json:
            return json.dumps({"run": self._run_id, **standing.document()})
        done, total = standing.blocks_done, standing.blocks_total
        blocks = f"{done}/{total} blocks, " if total else ""
        return f"{self._run_id} {standing.words}: {blocks}{words(standing)}"

    def settle(self) -> None:
        """Write nothing: the summary comes next."""

    def __enter__(self) -> Self:
        if not self._as_json:
            typer.echo(f"{self._run_id} started", err=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the lines as they are."""


def words(standing: Standing) -> str:
    """Return rate, time left and bytes; nothing is said of what is not known yet."""
    up, down = size_text(standing.bytes_up), size_text(standing.bytes_down)
    rate = f" ({size_text(standing.bytes_up_per_s)}/s)" if standing.bytes_up_per_s else ""
    told = [f"↑ {up}{rate} ↓ {down}"]
    if standing.seconds_left is not None:
        told.insert(0, f"{time_text(standing.seconds_left)} left")
    if standing.voxels_per_s is not None:
        told.insert(0, f"{count_text(standing.voxels_per_s)} voxels/s")
    if standing.wait_s is not None:
        told.insert(0, f"begins in about {time_text(standing.wait_s)}")
    return ", ".join(told)
