"""`hmz demo`: the whole way, with a small real image: stream, compute, join, write, look."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from napari_hmz import sample, schema
from napari_hmz.cli import options
from napari_hmz.cli.follow import follow
from napari_hmz.cli.summary import document, lines
from napari_hmz.cli.terminal import connect
from napari_hmz.results import write_overlay
from napari_hmz.sources import Source, open_source

_LABELS = frozenset({"instance-labels", "semantic-labels"})
_SAMPLE_BLOCK: schema.Sizes = {"y": 128, "x": 128}
"""The sample is small enough for one tile; four of them show that joining leaves no seam."""


def demo(
    *,
    engine: options.Engine = None,
    output: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("demo-output"),
    model: Annotated[str, typer.Option(help="The model.")] = "nuclei-3d",
    source: Annotated[
        Path | None, typer.Option(help="Another image.", show_default="the sample of nuclei")
    ] = None,
    url: options.Url = None,
    profile: options.Profile = None,
    json: options.Json = False,
) -> None:
    """Segment a small real volume of nuclei, and write labels and a picture of them."""
    output.mkdir(parents=True, exist_ok=True)
    with connect(url, profile=profile, engine=engine, started_by="shell") as client:
        card, health = client.model(model), client.health()
        image = open_source(source or sample.nuclei(), dtypes=card.inputs[0].dtypes)
        place = output / f"{card.id}.ome.zarr"
        block = _SAMPLE_BLOCK if source is None and card.dimensions > 2 else None  # noqa: PLR2004 # axes
        started = client.run(
            card.id, image, output=place, overwrite=True, with_image=True, block=block
        )
        ended = follow(started, as_json=json)
        picture = _picture(ended, place, image, output / "overlay.png")
    if json:
        shown = None if picture is None else str(picture)
        typer.echo(document(ended, started.transfer, place, engine=health.engine, picture=shown))
        return
    typer.echo(f"engine   {health.engine} ({client.url})")
    for line in lines(ended, started.transfer, place):
        typer.echo(line)
    if picture is not None:
        typer.echo(f"picture  {picture}")


def _picture(run: schema.Run, store: Path, image: Source, file: Path) -> Path | None:
    """Write the overlay of the first labels, if the model gives any; return where."""
    labels = next((array for array in run.plan.outputs if array.kind in _LABELS), None)
    if labels is None:
        return None
    stored = zarr.open_array(LocalStore(store, read_only=True), path=f"labels/{labels.name}/0")
    values = _spatial(
        np.asarray(stored[...]), getattr(stored.metadata, "dimension_names", None) or ()
    )
    pixels = _spatial(image.read(_region(run, image)), image.request.axes)
    if pixels.shape != values.shape:
        return None  # several channels or times: there is no one picture of them
    write_overlay(file, pixels, values)
    return file


def _region(run: schema.Run, image: Source) -> schema.Region:
    return {**schema.full_region(image.request.shape), **run.plan.region}


def _spatial(values: NDArray[Any], axes: "tuple[str | None, ...]") -> NDArray[Any]:
    """Drop axes other than z, y, x that have one index."""
    extra = [n for n, axis in enumerate(axes) if axis in {"t", "c"} and values.shape[n] == 1]
    return np.squeeze(values, tuple(extra))
