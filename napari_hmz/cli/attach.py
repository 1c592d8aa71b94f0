"""`hmz attach`: go on with a run that was started before."""

from pathlib import Path
from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.cli.follow import follow
from napari_hmz.cli.summary import tell
from napari_hmz.client import connect


def attach(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    output: Annotated[
        Path | None, typer.Argument(help="Where to write the result; else as it was started.")
    ] = None,
    url: options.Url = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Go on with a run: send what is missing of its image, and write its result."""
    with connect(url, engine=engine) as client:
        record = client.record(run)
        started = client.attach(run, output)
        ended = follow(started, as_json=json)
        place = output or (Path(record.output) if record and record.output else None)
        tell(ended, started.transfer, place, as_json=json)
