"""`hmz attach`: go on with a run that was started before."""

from pathlib import Path
from typing import Annotated

import typer

from napari_hmz.cli import options
from napari_hmz.cli.follow import follow
from napari_hmz.cli.summary import tell
from napari_hmz.cli.terminal import connect
from napari_hmz.schema import Run
from napari_hmz.unfinished import RESUMABLE


def attach(  # noqa: PLR0917 # typer passes each by its name
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    output: Annotated[
        Path | None, typer.Argument(help="Where to write the result; else as it was started.")
    ] = None,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Go on with a run: send what is missing of its image, and write its result.

    A run that was cancelled or has failed is resumed: what is finished of it is not done again.
    """
    with connect(url, profile=profile, engine=engine) as client:
        record, before = client.record(run), client.info(run)
        started = client.attach(run, output, resume=True)
        if before.state in RESUMABLE:
            typer.echo(resumed_words(before), err=True)
        ended = follow(started, as_json=json)
        place = output or (Path(record.output) if record and record.output else None)
        tell(ended, started.transfer, place, as_json=json)


def resumed_words(run: Run) -> str:
    """Return what to say when a run that had ended goes on."""
    how = "was cancelled" if run.state == "cancelled" else "had failed"
    done = f"{run.progress.blocks_done} of {run.plan.blocks} blocks are finished"
    return f"Run {run.id} {how} and goes on now: {done}."
