"""A labels layer as the core measures and exports it, and the images that lie under it.

Layers are pictured in the Qt main thread; a picture's readers are called in workers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmz_widgets.layers import finest
from napari_hmz.form.axes import PLAUSIBLE, named_axes
from napari_hmz.objects import Reader, Space
from napari_hmz.schema import Axes, AxisName, Region, Sizes, sizes_of, slices
from napari_hmz.sources.pixels import reading

_TOLERANCE_PX = 1e-3


@dataclass(frozen=True, eq=False)
class LabelPicture:
    """What is to be known of a labels layer, as it was when the person asked.

    Parameters
    ----------
    data
        The array behind the layer; the finest level of a pyramid.
    metadata
        Of the layer: where it comes from.
    """

    name: str
    data: Any
    axes: Axes
    space: Space
    metadata: Mapping[str, Any]

    @property
    def shape(self) -> Sizes:
        """Extents of the array."""
        return sizes_of(self.axes, self.data.shape)

    @property
    def chunks(self) -> Sizes:
        """How the array is stored, as far as it says so."""
        return sizes_of(self.axes, _chunk_shape(self.data))

    def read(self, region: Region) -> Any:  # noqa: ANN401 # an array
        """Return the labels of a region (in a worker)."""
        return array_reader(self.data, self.axes, {})(region)


def label_picture(layer: Any) -> LabelPicture | None:  # noqa: ANN401 # napari is untyped here
    """Picture a labels layer; None if it has more axes than we have names for."""
    axes = label_axes(layer)
    if axes is None:
        return None
    origin = np.asarray(layer.data_to_world((0,) * layer.ndim), dtype=float)
    matrix = np.eye(layer.ndim + 1)
    matrix[:-1, -1] = origin
    for place, step in enumerate(np.eye(layer.ndim)):
        matrix[:-1, place] = np.asarray(layer.data_to_world(step), dtype=float) - origin
    units = {axis: str(unit) for axis, unit in zip(axes, layer.units, strict=True)}
    known = {axis: unit for axis, unit in units.items() if unit not in ("pixel", "dimensionless")}
    space = Space(axes, matrix, known)
    return LabelPicture(str(layer.name), finest(layer), axes, space, dict(layer.metadata))


def label_axes(layer: Any) -> Axes | None:  # noqa: ANN401 # napari is untyped here
    """Return the axes that a layer's labels name, else the most usual ones."""
    usual = PLAUSIBLE.get(layer.ndim, ())
    return named_axes([str(label) for label in layer.axis_labels]) or next(iter(usual), None)


def offset_in(image: Any, labels: Any) -> tuple[int, ...] | None:  # noqa: ANN401 # napari's layers
    """Return the voxel of an image layer at which a labels layer begins.

    None unless voxels lie on voxels, and the image holds all of the labels.
    """
    if image.ndim != labels.ndim or getattr(image, "rgb", False):
        return None
    points = np.vstack([np.zeros(labels.ndim), np.eye(labels.ndim)])
    there = np.array([image.world_to_data(labels.data_to_world(point)) for point in points])
    offset = np.rint(there[0])
    if not np.allclose(there - points, offset, atol=_TOLERANCE_PX):
        return None
    inside = np.array(finest(image).shape) - np.array(finest(labels).shape) - offset
    return tuple(map(int, offset)) if (offset >= 0).all() and (inside >= 0).all() else None


def array_reader(data: Any, axes: Axes, start: Mapping[AxisName, int]) -> Reader:  # noqa: ANN401 # any array
    """Return what reads regions of an array that are counted from `start`.

    It raises `SourceUnreadable` where the array cannot be read.
    """

    def read(region: Region) -> Any:  # noqa: ANN401 # an array
        moved: Region = {
            axis: (low + start.get(axis, 0), high + start.get(axis, 0))
            for axis, (low, high) in region.items()
        }
        with reading("The layer's data cannot be read"):
            return np.asarray(data[slices(moved, axes)])

    return read


def _chunk_shape(data: Any) -> Sequence[int]:  # noqa: ANN401 # any array
    """Return the extents of the chunks of a zarr or dask array; 1 where there are none."""
    chunks = getattr(data, "chunks", None) or (1,) * len(data.shape)
    return [int(each if isinstance(each, int) else max(each)) for each in chunks]
