"""`hmz plan`: what a run would do, without sending a voxel."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from napari_hmz.cli import options, words
from napari_hmz.cli.request import ImageWords, RunWords
from napari_hmz.cli.tables import show_table
from napari_hmz.cli.terminal import connect
from napari_hmz.forecast import Forecast, check_disk, rows


def plan(
    model: Annotated[str, typer.Argument(help="The model's name, as `hmz models` lists it.")],
    source: Annotated[str, typer.Argument(help="The image: zarr, OME-Zarr, TIFF, HDF5, NeXus.")],
    output: Annotated[
        Path | None, typer.Argument(help="Where the result would go: is there space for it?")
    ] = None,
    *,
    version: options.Version = None,
    parameter: options.Parameters = None,
    region: options.Region = None,
    channels: options.Channels = None,
    only: options.Outputs = None,
    join_planes: options.JoinPlanes = False,
    stream: options.Stream = False,
    sensitive: options.Sensitive = False,
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
    with_image: options.WithImage = False,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Say what a run would do and cost, or why it cannot be done and what would help."""
    image = ImageWords(source, axes, level, channel, time, voxel_size, beside)
    how = (any_voxel_size, stream, sensitive)
    wish = RunWords(parameter, region, channels, only, join_planes, block, halo, *how)
    with connect(url, profile=profile, engine=engine) as client:
        card = client.model(model, version)
        chosen = wish.options(card)
        made = client.plan(
            card.id,
            image.open(card),
            inputs=words.inputs(more),
            output=output,
            with_image=with_image,
            **chosen,
        )
    if json:
        typer.echo(made.model_dump_json())
    else:
        show_table(_table(made))
    check_disk(made)


def _table(found: Forecast) -> Table:
    table = Table(show_header=False, box=None)
    for name, value in rows(found).items():
        table.add_row(name, value)
    for warning in found.warnings:
        table.add_row("[yellow]note[/yellow]", escape(warning))
    return table
