"""Where the rows of a table lie in their volume, and the order that this gives them."""

import numpy as np
from numpy.typing import NDArray

from napari_hmz.schema import AxisName, OutputTable


def start_of(axis: AxisName) -> str:
    """Return the column that tells a box's first voxel along an axis."""
    return f"{axis}_start"


def ends_of(axis: AxisName) -> tuple[str, str]:
    """Return the columns that tell a box's first voxel along an axis, and the one past its last."""
    return start_of(axis), f"{axis}_stop"


def places(table: OutputTable, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where rows lie, in voxels of the volume: points, or the centres of boxes.

    Parameters
    ----------
    table
        What the columns are.
    rows
        (row, column)

    Returns
    -------
    (row, axis of `table`)
    """
    return np.stack([_along(table, rows, axis) for axis in table.axes], axis=1)


def _along(table: OutputTable, rows: NDArray[np.float64], axis: AxisName) -> NDArray[np.float64]:
    columns = table.columns
    if axis in columns:
        return rows[:, columns.index(axis)]
    ends = [rows[:, columns.index(name)] for name in ends_of(axis)]
    centre: NDArray[np.float64] = (ends[0] + ends[1] - 1) / 2  # a voxel's centre is a whole number
    return centre


def raster_order(table: OutputTable, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows in raster order of their places; those of one place by what else they say."""
    keys = np.concatenate([places(table, rows), rows], axis=1)
    return np.ascontiguousarray(rows[np.lexsort(keys.T[::-1])])


def column_key(table: OutputTable, column: str) -> str:
    """Return how files name a column of the rows: `z` is an index, and no length."""
    return f"{column}_index" if column in table.axes else column
