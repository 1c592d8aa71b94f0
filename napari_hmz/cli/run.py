"""`hmz run`: a model over an image, from the shell."""

from pathlib import Path
from typing import Annotated

import typer

from napari_hmz.cli import options, words
from napari_hmz.cli.follow import follow
from napari_hmz.cli.request import ImageWords, RunWords
from napari_hmz.cli.summary import tell
from napari_hmz.cli.terminal import connect
from napari_hmz.run import Run
from napari_hmz.unfinished import unfinished_run


def run(
    model: Annotated[str, typer.Argument(help="The model's name, as `hmz models` lists it.")],
    source: Annotated[str, typer.Argument(help="The image: zarr, OME-Zarr, TIFF, HDF5, NeXus.")],
    output: Annotated[Path, typer.Argument(help="Where to write the result, as OME-Zarr.")],
    *,
    version: options.Version = None,
    parameter: options.Parameters = None,
    region: options.Region = None,
    channels: options.Channels = None,
    only: options.Outputs = None,
    join_planes: options.JoinPlanes = False,
    stream: options.Stream = False,
    sensitive: options.Sensitive = False,
    urgent: options.Urgent = False,
    block: options.Block = None,
    halo: options.Halo = None,
    any_voxel_size: options.AnyVoxelSize = False,
    axes: options.Axes = None,
    level: options.Level = 0,
    channel: options.Channel = None,
    time: options.Time = None,
    voxel_size: options.VoxelSize = None,
    beside: options.Beside = None,
    more: options.Inputs = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an output that is there.")] = False,
    with_image: options.WithImage = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Run a model over an image, and write what it finds.

    Ctrl-C ends this command only: the run goes on at the backend, and `hmz attach`, or the same
    command again, returns to it.
    """
    image = ImageWords(source, axes, level, channel, time, voxel_size, beside)
    how = (any_voxel_size, stream, sensitive, urgent)
    wish = RunWords(parameter, region, channels, only, join_planes, block, halo, *how)
    with connect(url, profile=profile, engine=engine, started_by="shell") as client:
        card = client.model(model, version)
        asked, others = wish.options(card), words.inputs(more)  # wrong words before wrong files
        left = unfinished_run(output)
        started = client.run(
            card.id,
            image.open(card),
            inputs=others,
            output=output,
            overwrite=overwrite,
            with_image=with_image,
            **asked,
        )
        _see_through(started, left, output, as_json=json)


def _see_through(started: Run, left: str | None, output: Path, *, as_json: bool) -> None:
    if started.id == left:
        typer.echo(f"Run {left} goes on: it had left {output} unfinished.", err=True)
    ended = follow(started, as_json=as_json)
    tell(ended, started.transfer, output, as_json=as_json)
