"""`hmz cancel`: stop a run."""

from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.client import connect


def cancel(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    url: options.Url = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Stop a run at the backend; its finished blocks stay."""
    with connect(url, engine=engine) as client:
        ended = client.cancel(run)
    typer.echo(ended.model_dump_json() if json else f"Run {ended.id} is {ended.state}.")
