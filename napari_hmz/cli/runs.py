"""`hmz runs`: the caller's runs."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.markup import escape
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.cli.terminal import connect
from napari_hmz.quantities import time_text
from napari_hmz.run_list import state_words
from napari_hmz.schema import Run
from napari_hmz.standing import standing_of

_SHOWN = 40
"""A batch leaves a run for each image."""


def runs(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help=f"List all of them, not the newest {_SHOWN} only.")
    ] = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """List your runs at the backend, the newest first: what each does or waits for, how far it is.

    The last column says from where it was started: api (Python), shell or plugin (napari).

    With --json, all are listed: each is a document with its state, progress, plan and results.
    """
    with connect(url, profile=profile, engine=engine) as client:
        found = client.runs()
    if json:
        typer.echo(TypeAdapter(tuple[Run, ...]).dump_json(found))
        return
    table = Table(box=None)
    table.add_column("run", no_wrap=True)  # it is copied to other commands
    for name in ("state", "progress", "model", "image", "started", "by"):
        table.add_column(name)
    for run in found if everything else found[:_SHOWN]:
        model = f"{run.plan.model} {run.plan.version}"
        image = escape(run.provenance.source_name)
        what = (model, image, started(run), run.request.started_by)
        table.add_row(run.id, state_words(run), progress(run), *what)
    show_table(table, otherwise="There is no run.")
    if table.row_count < len(found):
        typer.echo(f"The newest {_SHOWN} of {len(found)} runs; --all lists the others.", err=True)


def progress(run: Run) -> str:
    """Return how far a run is, and how long it still takes if that is known."""
    told = f"{run.progress.blocks_done}/{run.plan.blocks} blocks"
    left = standing_of(run.state, run.progress).seconds_left
    return told if left is None else f"{told}, {time_text(left)} left"


def started(run: Run) -> str:
    """Return when a run was asked for, on this machine's clock."""
    return datetime.fromisoformat(run.created_at).astimezone().strftime("%Y-%m-%d %H:%M")
