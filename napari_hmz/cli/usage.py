"""`hmz usage`: what you have used of a backend."""

import typer
from rich.markup import escape
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.client import connect
from napari_hmz.quantities import count_text, size_text


def usage(
    url: options.Url = None, profile: options.Profile = None, json: options.Json = False
) -> None:
    """Show what you have used, by month and model: voxels, seconds of the engine, bytes."""
    with connect(url, profile=profile) as client:
        found = client.usage()
    if json:
        typer.echo(found.model_dump_json())
        return
    table = Table(box=None)
    for column in ("month", "model", "voxels", "engine s", "sent", "fetched"):
        table.add_column(column, justify="left" if column in ("month", "model") else "right")
    for one in found.used:
        name = f"{one.model} {one.version}".strip() or "(images sent)"
        figures = (count_text(one.voxels), f"{one.engine_s:.1f}")
        sizes = (size_text(one.bytes_up), size_text(one.bytes_down))
        table.add_row(one.month, escape(name), *figures, *sizes)
    show_table(table, otherwise="You have used nothing yet.")
