"""`hmz remove`: forget a run."""

from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.cli.terminal import connect


def remove(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
) -> None:
    """Forget a run that has ended, and delete its results at the backend; written ones stay."""
    with connect(url, profile=profile, engine=engine) as client:
        found = client.info(run)
        what = f"run {run} ({found.plan.model} of {found.provenance.source_name})"
        if not yes:
            typer.confirm(f"Delete {what} and its results at the backend?", abort=True)
        client.remove(run)
    typer.echo(f"Removed {what}.")
