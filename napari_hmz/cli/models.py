"""`hmz models`: what there is to run."""

from typing import Annotated

import typer
from pydantic import TypeAdapter
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.cli.terminal import connect
from napari_hmz.schema import ModelCard


def models(  # noqa: PLR0917 # typer passes each by its name
    query: Annotated[str | None, typer.Argument(help="Words in names and texts.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Only for this task, as instance-segmentation.")
    ] = None,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """List the models, newest version first."""
    with connect(url, profile=profile, engine=engine) as client:
        cards = client.models(task, query, fresh=True)
    if json:
        typer.echo(TypeAdapter(tuple[ModelCard, ...]).dump_json(cards))
        return
    table = Table(box=None)
    for name in ("model", "version", "task", "axes"):
        table.add_column(name, no_wrap=True)
    table.add_column("summary")
    for card in cards:
        axes = "".join(card.inputs[0].axes)
        table.add_row(card.id, card.version, card.task, axes, card.summary)
    show_table(table, otherwise="No model fits; `hmz models` without words lists all.")
