"""How rows look in napari: points, or boxes as rectangles in the planes that they reach through."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.objects import row_table
from napari_hmz.places import ends_of, places
from napari_hmz.schema import AxisName, OutputTable

POINT_PX = 8
BORDER = "gold"
MOST_RECTANGLES = 5000
"""With more of them, a box is shown in its middle plane only: napari takes long for many."""
_PLANE = 2
"""Axes of a rectangle."""


def row_features(table: OutputTable, rows: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return what napari shows of rows beside their places: their numbers and figures."""
    found = row_table(table, rows)
    return {"id": found.labels} | {column.key: column.values for column in found.columns}


def points_arguments() -> dict[str, Any]:
    """Return how a new layer of points looks."""
    return {
        "size": POINT_PX,
        "face_color": "transparent",
        "border_color": BORDER,
        "border_width": 0.15,
    }


def boxes_arguments() -> dict[str, Any]:
    """Return how a new layer of boxes looks."""
    return {"face_color": "transparent", "edge_color": BORDER, "edge_width": 1}


def rectangles(
    table: OutputTable, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the rectangles that boxes are shown as, and which row each of them is of.

    Returns
    -------
    corners
        (rectangle, corner, axis): along their edges, half a voxel beyond the centres of voxels.
    origins
        (rectangle,)
    """
    starts, stops = (_ends(table, rows, end) for end in (0, 1))
    deep = table.axes[:-_PLANE]
    low, high = np.ceil(starts[:, : len(deep)]), np.ceil(stops[:, : len(deep)])
    counts = np.maximum(high - low, 1).prod(axis=1)
    if counts.sum() > MOST_RECTANGLES:
        low = np.floor(places(table, rows)[:, : len(deep)])
        high, counts = low + 1, np.ones(len(rows))
    origins = np.repeat(np.arange(len(rows)), counts.astype(int))
    planes = [_planes(*ends) for ends in zip(low, high, strict=True)]
    corners = np.zeros((len(origins), 4, len(table.axes)))
    if len(origins):
        corners[:, :, : len(deep)] = np.concatenate(planes)[:, None, :]
    for corner, (row_end, column_end) in enumerate(((0, 0), (0, 1), (1, 1), (1, 0))):
        for axis, end in ((-2, row_end), (-1, column_end)):
            corners[:, corner, axis] = (starts, stops)[end][origins, axis] - 0.5
    return corners, origins


def _ends(table: OutputTable, rows: NDArray[np.float64], end: int) -> NDArray[np.float64]:
    """Return the first voxels of boxes (end 0), or those one past the last (row, axis)."""
    return np.stack([_end(table, rows, axis, end) for axis in table.axes], axis=1)


def _end(
    table: OutputTable, rows: NDArray[np.float64], axis: AxisName, end: int
) -> NDArray[np.float64]:
    if axis in table.columns:  # iterated: the box lies in one of its voxels
        return rows[:, table.columns.index(axis)] + end
    return rows[:, table.columns.index(ends_of(axis)[end])]


def _planes(low: Sequence[float], high: Sequence[float]) -> NDArray[np.float64]:
    """Return the places (plane, axis) of a box along the axes that rectangles do not have."""
    ranges = [np.arange(start, max(stop, start + 1)) for start, stop in zip(low, high, strict=True)]
    grid = np.meshgrid(*ranges, indexing="ij") if ranges else []
    return np.stack([axis.ravel() for axis in grid], axis=1) if ranges else np.zeros((1, 0))
