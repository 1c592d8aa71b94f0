"""`hmz cancel`: stop a run."""

from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.cli.terminal import connect
from napari_hmz.schema import ENDED, Run


def cancel(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Stop a run at the backend; its finished blocks stay, and `hmz attach` goes on with it."""
    with connect(url, profile=profile, engine=engine) as client:
        ended = client.cancel(run)
    typer.echo(ended.model_dump_json() if json else _words(ended))


def _words(run: Run) -> str:
    if run.state not in ENDED:
        return f"Run {run.id} stops as soon as the step that it is at is over."
    if run.state == "done":
        return f"Run {run.id} is done already."
    return f"Run {run.id} is {run.state}. What is finished is kept; to go on: hmz attach {run.id}"
