"""`hmz script`: a run as code that makes it again."""

from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.cli.terminal import connect
from napari_hmz.script import as_python, as_shell


def script(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    *,
    python: Annotated[
        bool, typer.Option("--python", help="Python code instead of a command.")
    ] = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
) -> None:
    """Write the command, or the Python code, that makes a run again with the same results.

    IMAGE stands for an image that was in memory only, or that another machine has sent.
    """
    with connect(url, profile=profile, engine=engine) as client:
        found, record = client.info(run), client.record(run)
    typer.echo(as_python(found, record).rstrip() if python else as_shell(found, record))
