"""Waiting for a run in a terminal: a bar with rate and time left, or plain lines for a log."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from napari_hmz import schema
from napari_hmz.cli.exits import INTERRUPTED
from napari_hmz.cli.quantities import count_text, size_text, time_text
from napari_hmz.schema import Event, Progressed, RunState, StateChanged
from napari_hmz.transfer import Traffic

_LINE_EVERY_S = 10.0
_RATE_OVER_S = 15.0
_WAITS = {"chunks": "waits for the image", "engine": "waits for the engine", "queue": "queued"}


class Followed(Protocol):
    """What following asks of a run; `napari_hmz.run.Run` is one."""

    id: str
    transfer: Traffic

    def watch(self) -> Iterator[Event]:
        """Yield what happens until the run has ended."""

    def wait(self) -> schema.Run:
        """Wait until the output is written."""

    def close(self) -> None:
        """End this process's part."""


class Reporter(Protocol):
    """Shows how far a run is."""

    def show(self, state: RunState, progress: schema.Progress, *, rate: float) -> None:
        """Show state, progress and voxels per second."""

    def settle(self) -> None:
        """Show that the run has ended and its output is being written."""


class Rate:
    """Voxels per second over the last moments: what counts for someone who looks now."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, voxels_done: int) -> float:
        """Return the rate, now that so many voxels are done."""
        now = time.monotonic()
        self._seen.append((now, voxels_done))
        while now - self._seen[0][0] > _RATE_OVER_S:
            self._seen.popleft()
        began, before = self._seen[0]
        return (voxels_done - before) / max(now - began, 1.0)


def follow(run: Followed) -> schema.Run:
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


def _watch(run: Followed, reporter: Reporter) -> None:
    state: RunState = "queued"
    progress, rate = schema.Progress(), Rate()
    for event in run.watch():
        if isinstance(event, StateChanged):
            state = event.state
        elif isinstance(event, Progressed):
            progress = event.progress
        else:
            continue
        reporter.show(state, progress, rate=rate.after(progress.voxels_done))


def _reporter(run: Followed) -> "AbstractContextManager[Reporter]":
    console = Console(stderr=True)
    return Bar(run, console) if console.is_terminal else Lines(run)


class Bar:
    """A bar that is drawn over, on standard error."""

    def __init__(self, run: Followed, console: Console) -> None:
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

    def settle(self) -> None:
        """Say what is left to do."""
        self._bar.update(self._task, description="writes the output")

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
    """A line when a run begins to do or to await something else, on standard error.

    While it goes to and fro between the same things, there is one line in ten seconds.
    """

    def __init__(self, run: Followed) -> None:
        self._run = run
        self._shown: set[str] = set()
        self._shown_at_s = 0.0

    def show(self, state: RunState, progress: schema.Progress, *, rate: float) -> None:
        """Write a line, if it is time for one."""
        now, doing = time.monotonic(), described(state, progress)
        if now - self._shown_at_s > _LINE_EVERY_S:
            self._shown.clear()
        if doing not in self._shown:
            self._shown.add(doing)
            self._shown_at_s = now
            blocks = f"{progress.blocks_done}/{progress.blocks_total} blocks"
            said = words(self._run, progress, rate)
            typer.echo(f"{self._run.id} {doing}: {blocks}, {said}", err=True)

    def settle(self) -> None:
        """Write nothing: the summary comes next."""

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


def words(run: Followed, progress: schema.Progress, rate: float) -> str:
    """Return rate, time left and bytes."""
    left = f", {time_text(progress.seconds_left)} left" if progress.seconds_left else ""
    counts = run.transfer.counts
    moved = f"↑ {size_text(counts.bytes_up)} ↓ {size_text(counts.bytes_down)}"
    return f"{count_text(rate)} voxels/s{left}, {moved}"
