"""Rows of points, boxes and tables: each belongs to the one block in which its place lies.

```
tile   ┌─────────────────────┐
       │ o   core            │      a place on the border of two cores belongs to the later one;
       │   ┌─────────────┐   │      so each is kept once, whichever tiles have found it
       │   │  x      x   x o │
       │   └─────────────┘   │      x: kept   o: another block's, or outside the region
       └─────────────────────┘
```

Pure functions on numpy arrays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.cropping import Placed
from napari_hmz.places import ends_of, places, raster_order, start_of
from napari_hmz.schema import OutputSpec, OutputTable, Region

Rows = NDArray[np.float64]
"""Rows of a table, with its columns."""


def own_rows(
    result: NDArray[Any], spec: OutputSpec, table: OutputTable, block: Placed, seen: Region
) -> Rows:
    """Return the rows whose places lie in a block's core, in voxels of the volume, in raster order.

    Boxes end where the image does: what lies beyond, the model has seen in the padding.

    Parameters
    ----------
    result
        The model's rows (row, column), with the columns of `spec`, in voxels of the tile.
    spec, table
        The model's output, and the table that it becomes.
    block
        Where it was computed.
    seen
        What tiles may read; the rest of them is padding.

    Raises
    ------
    ValueError
        If a coordinate is no finite number.
    """
    found = dict(zip(spec.columns, np.asarray(result, np.float64).T, strict=True))
    is_own = np.ones(len(result), bool)
    for axis in table.axes:
        if start_of(axis) in found:
            start, stop = (found[name] + block.tile[axis][0] for name in ends_of(axis))
            start, stop = np.maximum(start, seen[axis][0]), np.minimum(stop, seen[axis][1])
            found |= dict(zip(ends_of(axis), (start, stop), strict=True))
            is_own &= ~(stop <= start)
        elif axis in found:
            found[axis] = found[axis] + block.tile[axis][0]
        else:  # the model does not say: its rows speak of the whole block
            found[axis] = np.full(len(result), sum(block.core[axis]) / 2 - 0.5)
    rows = np.stack([found[name] for name in table.columns], axis=1)
    return raster_order(table, rows[is_own & _within(block, table, rows)])


def _within(block: Placed, table: OutputTable, rows: Rows) -> NDArray[np.bool_]:
    """Return which rows have their places in a block's core."""
    where = places(table, rows)
    if not np.isfinite(where).all():
        raise ValueError("a coordinate is not a finite number")
    low, high = (np.array([block.core[axis][end] for axis in table.axes]) for end in (0, 1))
    inside = (where >= low - 0.5) & (where < high - 0.5)  # the centre of a voxel is a whole number
    own: NDArray[np.bool_] = np.asarray(inside.all(axis=1))
    return own
