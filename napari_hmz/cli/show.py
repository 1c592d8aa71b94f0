"""`hmz show`: one model's card."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.cli.terminal import connect
from napari_hmz.quantities import sizes_text
from napari_hmz.schema import ModelCard, ParameterSpec


def show(  # noqa: PLR0917 # typer passes each by its name
    model: Annotated[str, typer.Argument(help="The model's name, as `hmz models` lists it.")],
    version: options.Version = None,
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Show a model: what it wants, what it gives, its parameters and its quality."""
    with connect(url, profile=profile, engine=engine) as client:
        card = client.model(model, version)
    if json:
        typer.echo(card.model_dump_json())
        return
    console = Console(soft_wrap=True)
    console.print(f"[bold]{card.name}[/bold] ({card.id} {card.version}), {card.task}")
    console.print(card.summary, end="\n\n")
    show_table(_tensors(card))
    console.print()
    if card.parameters:
        show_table(_parameters(card))
        console.print()
    for figure in card.quality:
        console.print(f"quality: {figure.metric} {figure.value:g} on {figure.dataset}")
    for title, text in (("trained on", card.training_data), ("licence", card.licence)):
        if text:
            console.print(f"{title}: {text}")
    console.print(f"digest: {card.digest}")


def _tensors(card: ModelCard) -> Table:
    table = Table("", "name", "kind", "axes", "details", box=None)
    for source in card.inputs:
        voxels = ", ".join(f"{axis} {size:g} µm" for axis, size in source.voxel_size_um.items())
        details = f"{', '.join(source.channels)}; {', '.join(source.dtypes)}"
        details += f"; made for voxels of {voxels}" if voxels else ""
        table.add_row("in", source.name, source.kind, "".join(source.axes), details)
    for output in card.outputs:
        table.add_row("out", output.name, output.kind, "".join(output.axes), output.dtype)
    table.add_row("tile", "", "", "", f"{sizes_text(card.tile.preferred)}; halo"
                  f" {sizes_text(card.tile.halo) or 'none'}")  # fmt: skip
    return table


def _parameters(card: ModelCard) -> Table:
    table = Table("parameter", "type", "default", "range", "what it does", box=None)
    for name, spec in card.parameters.items():
        unit = f" {spec.unit}" if spec.unit else ""
        words = spec.description or spec.title
        table.add_row(name, spec.type, f"{spec.default}{unit}", _range(spec), words)
    return table


def _range(spec: ParameterSpec) -> str:
    if spec.choices:
        return " | ".join(str(choice.value) for choice in spec.choices)
    if spec.minimum is None and spec.maximum is None:
        return ""
    low = "" if spec.minimum is None else f"{spec.minimum:g}"
    return f"{low} to {'' if spec.maximum is None else f'{spec.maximum:g}'}"
