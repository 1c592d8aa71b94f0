"""`hmz plan`: what a run would do, without sending a voxel."""

from typing import Annotated

import typer
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.request import ImageWords, RunWords
from napari_hmz.cli.tables import show_table
from napari_hmz.client import connect
from napari_hmz.quantities import count_text, size_text, sizes_text, time_text
from napari_hmz.schema import Plan


def plan(
    model: Annotated[str, typer.Argument(help="The model's name, as `hmz models` lists it.")],
    source: Annotated[str, typer.Argument(help="The image: zarr, OME-Zarr, TIFF, HDF5, NeXus.")],
    *,
    version: options.Version = None,
    parameter: options.Parameters = None,
    region: options.Region = None,
    channels: options.Channels = None,
    only: options.Outputs = None,
    join_planes: options.JoinPlanes = False,
    block: options.Block = None,
    halo: options.Halo = None,
    any_voxel_size: options.AnyVoxelSize = False,
    axes: options.Axes = None,
    level: options.Level = 0,
    channel: options.Channel = None,
    time: options.Time = None,
    voxel_size: options.VoxelSize = None,
    url: options.Url = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Say what a run would do and cost, or why it cannot be done and what would help."""
    image = ImageWords(source, axes, level, channel, time, voxel_size)
    wish = RunWords(parameter, region, channels, only, join_planes, block, halo, any_voxel_size)
    with connect(url, engine=engine) as client:
        card = client.model(model, version)
        chosen = wish.options(card)
        made = client.plan(card.id, image.open(card), **chosen)
    if json:
        typer.echo(made.model_dump_json())
    else:
        show_table(_table(made))


def _table(plan: Plan) -> Table:
    region = ", ".join(f"{axis} {start}:{stop}" for axis, (start, stop) in plan.region.items())
    rows = {
        "model": f"{plan.model} {plan.version}",
        "region": f"{region} ({count_text(plan.voxels)} voxels)",
        "blocks": f"{plan.blocks} of {sizes_text(plan.block)}",
        "halo": sizes_text(plan.halo),
        "tile": sizes_text(plan.tile),
        "to send": f"at most {size_text(plan.bytes_up)} in {plan.chunks_needed} chunks",
        "to fetch": f"at most {size_text(plan.bytes_down)}",
        "memory": f"{size_text(plan.memory_bytes)} at the backend",
        "computing": time_text(plan.seconds),
    }
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    for warning in plan.warnings:
        table.add_row("[yellow]note[/yellow]", warning)
    return table
