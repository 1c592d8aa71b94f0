"""Waiting for a run in a terminal: a bar with rate and time left, or plain lines for a log."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from napari_hmz import schema
from napari_hmz.cli.exits import INTERRUPTED
from napari_hmz.cli.quantities import count_text, size_text, time_text
from napari_hmz.run import Run
from napari_hmz.schema import Progressed, RunState, StateChanged

_LINE_EVERY_S = 10.0
_WAITS = {"chunks": "waits for the image", "engine": "waits for the engine", "queue": "queued"}


class Reporter(Protocol):
    """Shows how far a run is."""

    def show(self, state: RunState, progress: schema.Progress, *, rate: float) -> None:
        """Show state, progress and voxels per second."""


def follow(run: Run) -> schema.Run:
    """Show a run until it has ended and its output is written, and return it.

    Raises
    ------
    typer.Exit
        With code 130 after Ctrl-C; the run goes on.
    HmzError
        As `Run.wait`.
    """
    try:
        with _reporter(run) as reporter:
            _watch(run, reporter)
            return run.wait()
    except KeyboardInterrupt:
        run.close()
        typer.echo(
            f"\nRun {run.id} goes on at the backend with what it has of the image."
            f"\nTo return to it: hmz attach {run.id}\nTo stop it:      hmz cancel {run.id}",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None


def _watch(run: Run, reporter: Reporter) -> None:
    state: RunState = "queued"
    progress, began = schema.Progress(), time.monotonic()
    for event in run.watch():
        if isinstance(event, StateChanged):
            state = event.state
        elif isinstance(event, Progressed):
            progress = event.progress
        else:
            continue
        seconds = max(time.monotonic() - began, 1e-3)
        reporter.show(state, progress, rate=progress.voxels_done / seconds)


def _reporter(run: Run) -> "AbstractContextManager[Reporter]":
    console = Console(stderr=True)
    return Bar(run, console) if console.is_terminal else Lines(run)


class Bar:
    """A bar that is drawn over, on standard error."""

    def __init__(self, run: Run, console: Console) -> None:
        self._run = run
        self._bar = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}"),
            console=console,
        )
        self._task = self._bar.add_task("queued", total=None, words="")

    def show(self, state: RunState, progress: schema.Progress, *, rate: float) -> None:
        """Draw the bar anew."""
        self._bar.update(
            self._task,
            description=described(state, progress),
            total=progress.blocks_total or None,
            completed=progress.blocks_done,
            words=words(self._run, progress, rate),
        )

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


class Lines:
    """A line on each change of state, and every ten seconds, on standard error."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shown: tuple[RunState, float] | None = None

    def show(self, state: RunState, progress: schema.Progress, *, rate: float) -> None:
        """Write a line, if it is time for one."""
        now = time.monotonic()
        is_due = self._shown is None or self._shown[0] != state
        if is_due or (self._shown is not None and now - self._shown[1] > _LINE_EVERY_S):
            self._shown = (state, now)
            blocks = f"{progress.blocks_done}/{progress.blocks_total} blocks"
            said = words(self._run, progress, rate)
            typer.echo(f"{self._run.id} {described(state, progress)}: {blocks}, {said}", err=True)

    def __enter__(self) -> Self:
        typer.echo(f"{self._run.id} started", err=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the lines as they are."""


def described(state: RunState, progress: schema.Progress) -> str:
    """Return what a run does, or what it waits for."""
    return _WAITS.get(progress.waiting_for, state) if state == "running" else state


def words(run: Run, progress: schema.Progress, rate: float) -> str:
    """Return rate, time left and bytes."""
    left = f", {time_text(progress.seconds_left)} left" if progress.seconds_left else ""
    counts = run.transfer.counts
    moved = f"↑ {size_text(counts.bytes_up)} ↓ {size_text(counts.bytes_down)}"
    return f"{count_text(rate)} voxels/s{left}, {moved}"
