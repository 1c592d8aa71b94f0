"""Where the outputs of a run belong, for a viewer that did not start it.

The image may be open here, under the name that it had when the run was started; else the outputs
lie where the plan says.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers import Image

from hmz_widgets.geometry import Geometry
from hmz_widgets.layers import Picture, finest, picture
from napari_hmz.schema import Axes, AxisName, Run

Figures = dict[AxisName, float]


def picture_of(run: Run, layers: Iterable[Any]) -> Picture:
    """Return the image of a run: that of a layer which can be it, else one without data.

    Parameters
    ----------
    layers
        Of the viewer, in the order of the list; of several that fit, the uppermost counts.
    """
    axes: Axes = tuple(run.plan.region)
    fitting = [one for one in layers if has_name_of(one, run) and can_be_image(one, run)]
    return picture(fitting[-1], axes) if fitting else planned_picture(run, axes)


def planned_picture(run: Run, axes: Axes) -> Picture:
    """Return what the plan tells of the image: its place by the first output that has one."""
    size, first, units = _told(run)
    scale = np.array([size.get(axis, 1.0) for axis in axes])
    geometry = Geometry(
        axes=axes,
        scale=scale,
        translate=np.array([first.get(axis, 0.0) for axis in axes]),
        rotate=np.eye(len(axes)),
        shear=np.eye(len(axes)),
        affine=np.eye(len(axes) + 1),
        units=tuple(units.get(axis, "pixel") for axis in axes),
        axis_labels=tuple(axes),
    )
    return Picture(run.provenance.source_name, None, axes, geometry)


def _told(run: Run) -> tuple[Figures, Figures, dict[AxisName, str]]:
    """Return voxel size, place of the first voxel and units of the image, as far as they are told.

    An array's translation is that of its own first voxel, a table's that of the image's.
    """
    for output in run.plan.outputs:
        if size := output.voxel_size:
            start = {axis: ends[0] for axis, ends in run.plan.region.items()}
            moved = output.translation.items()
            first = {axis: at - start[axis] * size.get(axis, 1.0) for axis, at in moved}
            return size, first, output.units
    for table in run.plan.tables:
        if table.voxel_size:
            return table.voxel_size, table.translation, table.units
    return {}, {}, {}


def layers_of(run_id: str, layers: Iterable[Any]) -> list[Any]:
    """Return the layers that show outputs of a run."""
    return [layer for layer in layers if _provenance(layer).get("run") == run_id]


def _provenance(layer: Any) -> dict[str, Any]:  # noqa: ANN401 # napari is untyped here
    told = layer.metadata.get("hmz")
    return told if isinstance(told, dict) else {}


def has_name_of(layer: Any, run: Run) -> bool:  # noqa: ANN401 # napari is untyped here
    """Return whether a layer has the name that the image of a run had."""
    return bool(layer.name == run.provenance.source_name)


def can_be_image(layer: Any, run: Run) -> bool:  # noqa: ANN401 # napari is untyped here
    """Return whether a layer can be the image of a run, by type and extents."""
    return isinstance(layer, Image) and _fits(finest(layer).shape, run, tuple(run.plan.region))


def channels_of_image(layer: Any, run: Run) -> tuple[int | None, ...]:  # noqa: ANN401 # napari is untyped here
    """Return which channels of a layer can be one of the image of a run, by type and extents.

    None stands for the whole of a layer that has no channels; empty: there are none.
    """
    if not isinstance(layer, Image):
        return ()
    axes: Axes = tuple(axis for axis in run.plan.region if axis != "c")
    shape = finest(layer).shape
    if _fits(shape, run, axes):
        return (None,)
    place = channel_place(layer, run)
    return () if place is None else tuple(range(shape[place]))


def channel_place(layer: Any, run: Run) -> int | None:  # noqa: ANN401 # napari is untyped here
    """Return which axis of a layer holds its channels, if all others are those of a run's image."""
    axes: Axes = tuple(axis for axis in run.plan.region if axis != "c")
    shape = finest(layer).shape
    places = range(len(shape)) if len(shape) == len(axes) + 1 else ()
    return next((at for at in places if _fits((*shape[:at], *shape[at + 1 :]), run, axes)), None)


def _fits(shape: tuple[int, ...], run: Run, axes: Axes) -> bool:
    """Return whether an array of these axes can be the image, or one of its channels.

    Of an axis that was taken whole the plan knows the extent; of channels that were chosen, and of
    a part that was asked for, only the end.
    """
    if len(shape) != len(axes):
        return False
    parts = set(run.request.region) | ({"c"} if run.request.channels else set())
    ends = {axis: run.plan.region[axis][1] for axis in axes}
    return all(
        size >= ends[axis] if axis in parts else size == ends[axis]
        for axis, size in zip(axes, shape, strict=True)
    )
