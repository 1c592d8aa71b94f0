"""The objects of a label image, measured part by part.

Memory holds one part of the image, and one row per object, whatever the size of the image.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import AxesMismatch, DtypeUnsuitable
from napari_hmz.objects.space import Space
from napari_hmz.objects.table import Column, ObjectTable
from napari_hmz.objects.tally import Counted, Tally
from napari_hmz.results.levels import regions_of
from napari_hmz.schema import AxisName, Region, Sizes

Reader = Callable[[Region], NDArray[Any]]
"""Returns the voxels of a region that names every axis, in the extents of that region."""
_PART_PX: Sizes = {"t": 1, "c": 1, "z": 16, "y": 256, "x": 256}
"""Of a part: whole chunks near this size are read together."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How many parts are measured, of how many."""

    parts: int
    parts_total: int


def measure_objects(
    labels: Reader,
    shape: Mapping[AxisName, int],
    space: Space,
    *,
    image: Reader | None = None,
    chunks: Mapping[AxisName, int] | None = None,
) -> ObjectTable:
    """Return the table of the objects; see `measuring`."""
    for step in measuring(labels, shape, space, image=image, chunks=chunks):
        if isinstance(step, ObjectTable):
            return step
    raise AssertionError("measuring ends with a table")


def measuring(
    labels: Reader,
    shape: Mapping[AxisName, int],
    space: Space,
    *,
    image: Reader | None = None,
    chunks: Mapping[AxisName, int] | None = None,
) -> Iterator[Measured | ObjectTable]:
    """Measure the objects of a label image; yield how far it is, and the table at the end.

    An object is what has one label above 0, wherever it lies: also at several times.

    Parameters
    ----------
    labels
        Reads the label image.
    shape
        Its extents, in the order of its axes.
    space
        Where its voxels lie.
    image
        Reads, at the same regions, the image whose intensities are measured.
    chunks
        In which the label image is stored, so that none is read twice.

    Raises
    ------
    DtypeUnsuitable
        If the labels are no integers.
    AxesMismatch
        If the image gives another extent than the labels.
    """
    parts = _parts(shape, chunks or {})
    tally = Tally(len(shape), with_intensity=image is not None)
    total = prod(-(-shape[axis] // parts[axis]) for axis in shape)
    for number, region in enumerate(regions_of(shape, parts)):
        yield Measured(number, total)
        _take(tally, region, labels, image)
    yield Measured(total, total)
    yield _table(tally.result(), tuple(shape), space)


def _take(tally: Tally, region: Region, labels: Reader, image: Reader | None) -> None:
    found = labels(region)
    if found.dtype.kind not in "iub":
        raise DtypeUnsuitable(f"Labels are whole numbers, not {found.dtype}.")
    values = None
    if image is not None and found.any():  # where there is nothing, the image is not read
        values = image(region)
        if values.shape != found.shape:
            raise AxesMismatch(
                f"The image has the extents {values.shape} where the labels have {found.shape}."
            )
    origin = tuple(start for start, _ in region.values())
    tally.add(found.astype(np.uint8) if found.dtype == bool else found, origin, values)


def _parts(shape: Mapping[AxisName, int], chunks: Mapping[AxisName, int]) -> Sizes:
    parts: Sizes = {}
    for axis, extent in shape.items():
        chunk = max(1, chunks.get(axis, 1))
        parts[axis] = min(extent, chunk * max(1, _PART_PX[axis] // chunk))
    return parts


def _table(found: Counted, axes: tuple[AxisName, ...], space: Space) -> ObjectTable:
    columns = [Column("voxels", "", found.voxels)]
    voxel = space.voxel()
    if voxel is not None:
        name, unit, size = voxel
        columns.append(Column(name, unit, found.voxels * size))
    placed = space.world(found.centroids)
    for place, axis in enumerate(axes):
        columns.append(Column(f"centroid_{axis}", space.unit(axis), placed[place]))
    for place, axis in enumerate(axes):
        columns.append(Column(f"{axis}_start", "", found.first[place]))
        columns.append(Column(f"{axis}_stop", "", found.stop[place]))
    if found.mean is not None and found.lowest is not None and found.highest is not None:
        columns.append(Column("intensity_mean", "", found.mean))
        columns.append(Column("intensity_min", "", found.lowest))
        columns.append(Column("intensity_max", "", found.highest))
    return ObjectTable(found.labels, columns)
