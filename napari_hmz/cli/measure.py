"""`hmz measure`: the objects of a label image as a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_hmz.cli import options, words
from napari_hmz.errors import AxesMismatch, OutputExists
from napari_hmz.objects import ObjectTable, Reader, Space, measure_objects
from napari_hmz.schema import AxisName, Region
from napari_hmz.sources import Source, open_source

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure(
    labels: Annotated[str, typer.Argument(help="The label image: OUT.ome.zarr/labels/NAME, TIFF.")],
    image: Annotated[
        str | None, typer.Argument(help="The image whose intensities are measured.")
    ] = None,
    *,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write the table here; else it goes to standard output."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    axes: options.Axes = None,
    channel: options.Channel = None,
    time: options.Time = None,
    voxel_size: options.VoxelSize = None,
) -> None:
    """Measure the objects of a label image: sizes, centroids, bounding boxes and intensities.

    Channel and time are those of the image. The label image is read by chunk, of any size.
    """
    if csv is not None and csv.exists() and not overwrite:
        raise OutputExists(f"{csv} exists already.")
    sizes = words.by_axis(voxel_size, float, "--voxel-size")
    fixed = {"c": channel, "t": time}  # axes that the labels then lack
    own = None if axes is None else "".join(axis for axis in axes if fixed.get(axis) is None)
    found = _open(labels, axes=own, voxel_size=sizes)
    beside = None
    if image is not None:
        chosen = words.channel(channel)
        beside = _open(image, axes=axes, channel=chosen, time=time)
    table = _measured(found, beside)
    if csv is None:
        for text in table.csv_lines():
            typer.echo(text, nl=False)
        return
    table.write_csv(csv)
    typer.echo(f"{len(table)} objects: {csv}")


def _open(
    address: str,
    *,
    axes: str | None,
    channel: int | str | None = None,
    time: int | None = None,
    voxel_size: dict[AxisName, float] | None = None,
) -> Source:
    return open_source(
        address if "://" in address else Path(address),
        axes=axes,
        channel=channel,
        time=time,
        voxel_size=voxel_size or None,
        units=dict.fromkeys(voxel_size, "micrometer") if voxel_size else None,
    )


def _measured(labels: Source, image: Source | None) -> ObjectTable:
    said = labels.request
    space = Space.plain(said.axes, said.voxel_size, said.translation, said.units)
    shape = {axis: said.shape[axis] for axis in said.axes}
    try:
        return measure_objects(
            labels.read,
            shape,
            space,
            image=None if image is None else _beside(image, shape),
            chunks=said.chunks,
        )
    finally:
        for source in (labels, image):
            if source is not None:
                source.close()


def _beside(image: Source, shape: dict[AxisName, int]) -> Reader:
    """Return what reads the image where the labels lie; both may lack axes of extent 1."""
    theirs = image.request.shape
    different = [axis for axis in {**shape, **theirs} if shape.get(axis, 1) != theirs.get(axis, 1)]
    if different:
        raise AxesMismatch(
            f"Labels and image differ in their extents along {', '.join(different)}.",
            remedy="Give the image that the labels were made of (--channel, --time: a part of it).",
        )

    def read(region: Region) -> "NDArray[Any]":
        values = image.read({axis: region.get(axis, (0, 1)) for axis in image.request.axes})
        here = [axis for axis in image.request.axes if axis in region]
        kept = values.reshape([stop - start for start, stop in (region[axis] for axis in here)])
        ordered = kept.transpose([here.index(axis) for axis in region if axis in here])
        return ordered.reshape([stop - start for start, stop in region.values()])

    return read
