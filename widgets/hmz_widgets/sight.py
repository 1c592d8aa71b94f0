"""What the viewer shows of a layer, by the names of its axes.

Lives in the Qt main thread.
"""

from typing import Any

import numpy as np

from napari_hmz.schema import Axes, AxisName
from napari_hmz.view import View

FLAT = 2


def view_of(viewer: Any, layer: Any, axes: Axes) -> View:  # noqa: ANN401 # napari is untyped here
    """Return what the viewer shows of a layer whose data have these axes.

    Channels are no part of a view. A layer that has not been drawn yet is taken to be in view as a
    whole. In 3-D all that a layer holds is in view, and what is looked at lies around the camera's
    centre.

    Parameters
    ----------
    axes
        Of the layer's array; those beyond the layer's own dimensions (colours) are left out.
    """
    own = axes[: layer.ndim]
    offset = viewer.dims.ndim - layer.ndim
    shown = [place - offset for place in viewer.dims.displayed if place >= offset]
    point = layer.world_to_data(viewer.dims.point)
    hidden: dict[AxisName, float] = {
        axis: float(point[i])
        for i, axis in enumerate(own)
        if i not in shown and axis != "c"  # a model takes the channels that it needs
    }
    if viewer.dims.ndisplay == FLAT:
        return View(_corners(layer, own, shown), hidden)
    extent = layer.extent.data
    whole = {own[i]: (float(extent[0][i]), float(extent[1][i])) for i in shown}
    return View(whole, hidden, _centre(viewer, layer, own, shown))


def camera_of(viewer: Any) -> Any:  # noqa: ANN401 # napari is untyped here
    """Return the camera, which napari 0.9 has moved into the scene."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def _corners(layer: Any, own: Axes, shown: list[int]) -> dict[AxisName, tuple[float, float]]:  # noqa: ANN401
    corners = np.asarray(layer.corner_pixels, dtype=float)
    extent = layer.extent.data
    if not all(corners[0][i] < corners[1][i] for i in shown):
        corners = np.asarray(extent, dtype=float)
    elif layer.multiscale:  # they are voxels of the level on show, the last one included
        factors = np.asarray(layer.downsample_factors[layer.data_level])
        corners = np.stack([corners[0] * factors, (corners[1] + 1) * factors - 1])
    return {own[i]: (float(corners[0][i]), float(corners[1][i])) for i in shown}


def _centre(viewer: Any, layer: Any, own: Axes, shown: list[int]) -> dict[AxisName, float]:  # noqa: ANN401
    """Return the voxel at the camera's centre, along the axes on show."""
    world = np.array(viewer.dims.point, dtype=float)
    displayed = list(viewer.dims.displayed)
    world[displayed] = camera_of(viewer).center[-len(displayed) :]
    point = layer.world_to_data(world)
    return {own[i]: float(point[i]) for i in shown}
