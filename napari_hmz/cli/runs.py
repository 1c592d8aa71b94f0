"""`hmz runs`: the caller's runs."""

import typer
from pydantic import TypeAdapter
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.client import connect
from napari_hmz.schema import Run


def runs(
    url: options.Url = None, engine: options.Engine = None, json: options.Json = False
) -> None:
    """List your runs at the backend, the newest first."""
    with connect(url, engine=engine) as client:
        found = client.runs()
    if json:
        typer.echo(TypeAdapter(tuple[Run, ...]).dump_json(found))
        return
    table = Table(box=None)
    table.add_column("run", no_wrap=True)  # it is copied to other commands
    for name in ("state", "model", "image", "blocks", "started"):
        table.add_column(name)
    for run in found:
        blocks = f"{run.progress.blocks_done}/{run.progress.blocks_total}"
        model = f"{run.plan.model} {run.plan.version}"
        image = run.provenance.source_name
        table.add_row(run.id, run.state, model, image, blocks, run.created_at)
    show_table(table, otherwise="There is no run.")
