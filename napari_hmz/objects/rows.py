"""Points, boxes and tables that a model has given, with their places in the world."""

import numpy as np
from numpy.typing import NDArray

from napari_hmz.objects.space import Space
from napari_hmz.objects.table import Column, ObjectTable
from napari_hmz.places import column_key, places
from napari_hmz.schema import OutputTable


def row_table(table: OutputTable, rows: NDArray[np.float64]) -> ObjectTable:
    """Return the rows of a table, numbered from 1 in their order.

    The columns: the place in the world along the axes that have a voxel size (of a box, that of its
    centre), then what the model has given, indices of voxels among it (`z_index`).

    Parameters
    ----------
    table
        What the columns are.
    rows
        (row, column)
    """
    space = Space.plain(table.axes, table.voxel_size, table.translation, table.units)
    placed = space.world(places(table, rows).T)
    columns = [
        Column(axis, space.unit(axis), along)
        for axis, along in zip(table.axes, placed, strict=True)
        if axis in table.voxel_size
    ]
    columns += [
        Column(column_key(table, name), "", values)
        for name, values in zip(table.columns, rows.T, strict=True)
    ]
    return ObjectTable(np.arange(1, len(rows) + 1), columns, heading="id")
