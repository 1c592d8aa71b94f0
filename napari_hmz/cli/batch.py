"""`hmz batch`: a model over many images, from the shell."""

import json as json_text
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.text import Text

from napari_hmz.batch import AT_ONCE, Outcome, images_in, jobs_of, run_batch
from napari_hmz.cli import options
from napari_hmz.cli.exits import FAILED, INTERRUPTED
from napari_hmz.cli.request import ImageWords, RunWords
from napari_hmz.cli.terminal import connect
from napari_hmz.counts import counts_of
from napari_hmz.errors import HmzError
from napari_hmz.memory import LEAST_BYTES
from napari_hmz.schema import to_problem
from napari_hmz.settings import load_settings

_LISTED = 20


def batch(
    model: Annotated[str, typer.Argument(help="The model's name, as `hmz models` lists it.")],
    images: Annotated[
        list[Path],
        typer.Argument(help="The images, and folders of images: zarr, TIFF, HDF5, NeXus, npy."),
    ],
    *,
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FOLDER", help="Where to write the results, as OME-Zarr."),
    ],
    version: options.Version = None,
    parameter: options.Parameters = None,
    region: options.Region = None,
    channels: options.Channels = None,
    only: options.Outputs = None,
    join_planes: options.JoinPlanes = False,
    stream: options.Stream = False,
    sensitive: options.Sensitive = False,
    any_voxel_size: options.AnyVoxelSize = False,
    axes: options.Axes = None,
    level: options.Level = 0,
    channel: options.Channel = None,
    time: options.Time = None,
    voxel_size: options.VoxelSize = None,
    with_image: options.WithImage = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Run a model over many images, several at a time; each result is named after its image.

    An image that cannot be done is told at once and at the end, and the others go on. The same
    command again does what is left: results that are there are kept, and what Ctrl-C or a failure
    has interrupted is gone on with.
    """
    jobs = jobs_of(images_in(images), to)
    image = ImageWords("", axes, level, channel, time, voxel_size)
    how = (any_voxel_size, stream, sensitive)
    wish = RunWords(parameter, region, channels, only, join_planes, None, None, *how)
    share = {
        "memory_budget_bytes": max(load_settings().memory_budget_bytes // AT_ONCE, LEAST_BYTES)
    }
    with connect(url, profile=profile, engine=engine, started_by="shell", **share) as client:
        card = client.model(model, version)
        outcomes = run_batch(
            client,
            card.id,
            jobs,
            opener=lambda path: replace(image, source=str(path)).open(card, AT_ONCE),
            with_image=with_image,
            **wish.options(card),
        )
        with closing(outcomes):  # after Ctrl-C the runs are left before the client is closed
            found = told(outcomes, len(jobs), as_json=json)
    sum_up(found, to, as_json=json)
    if any(outcome.state == "failed" for outcome in found):
        raise typer.Exit(FAILED)


def told(outcomes: Iterator[Outcome], total: int, *, as_json: bool) -> list[Outcome]:
    """Tell each outcome as it comes, and return all of them."""
    found: list[Outcome] = []
    try:
        bar = _Bar(total, as_json=as_json)
        with bar.drawn:
            for outcome in outcomes:
                found.append(outcome)
                bar.tell(outcome, len(found))
    except KeyboardInterrupt:
        typer.echo(
            f"\n{len(found)} of {total} images are through; the runs of up to {AT_ONCE} others go"
            " on at the backend.\nThe same command again does what is left.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    except HmzError:  # it would keep the others from being done, too
        if not as_json:
            typer.echo(f"{len(found)} of {total} images are through.", err=True)
            typer.echo("Once this is put right, the same command does what is left:", err=True)
        raise
    return found


class _Bar:
    """A line for each image, above a bar where somebody watches; on standard error."""

    def __init__(self, total: int, *, as_json: bool) -> None:
        self._total, self._as_json = total, as_json
        console = Console(stderr=True)
        self.drawn = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            "images,",
            TimeRemainingColumn(),
            "left",
            console=console,
            disable=as_json or not console.is_terminal,
        )
        self._task = self.drawn.add_task("", total=total)

    def tell(self, outcome: Outcome, number: int) -> None:
        """Tell what became of the image that has ended as the `number`-th."""
        if self._as_json:
            typer.echo(json_text.dumps(_document(outcome)), err=True)
            return
        line = f"{number:{len(str(self._total))}}/{self._total} {outcome.job.image}: "
        line += _words(outcome)
        if self.drawn.disable:
            typer.echo(line, err=True)
        else:
            self.drawn.console.print(Text(line))
            self.drawn.advance(self._task)


def _words(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"failed: {outcome.error.detail} [{outcome.error.code}]"
    if outcome.run is None:
        return "is done already"
    return ", ".join(text for _, text in counts_of(outcome.run)) or "done"


def _document(outcome: Outcome) -> dict[str, Any]:
    run, error = outcome.run, outcome.error
    return {
        "image": str(outcome.job.image),
        "output": str(outcome.job.output),
        "state": outcome.state,
        "run": None if run is None else run.id,
        "results": [] if run is None else [one.model_dump(mode="json") for one in run.results],
        "error": None if error is None else to_problem(error).model_dump(mode="json"),
    }


def sum_up(found: Sequence[Outcome], folder: Path, *, as_json: bool) -> None:
    """Tell on standard output how many images there were of each outcome, and what failed."""
    counts = Counter[str](outcome.state for outcome in found)
    if as_json:
        images = [_document(outcome) for outcome in found]
        numbers = {state: counts[state] for state in ("done", "kept", "failed")}
        typer.echo(json_text.dumps({**numbers, "folder": str(folder), "images": images}))
        return
    titles = {"done": "done now", "kept": "done already", "failed": "failed, tried again next time"}
    for state, words in titles.items():
        if counts[state]:
            typer.echo(f"{counts[state]} {words}")
    failures = [(each.job.image, each.error) for each in found if each.error is not None]
    for image, error in failures[:_LISTED]:
        typer.echo(f"  {image}: {error} [{error.code}]")
    if len(failures) > _LISTED:
        typer.echo(f"  and {len(failures) - _LISTED} others, told above")
    typer.echo(f"output   {folder}")
