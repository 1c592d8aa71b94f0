"""A table of a run that grows, block by block."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_hmz.places import raster_order
from napari_hmz.schema import OutputTable


@dataclass(eq=False)
class Sheet:
    """The rows of one table that have arrived. One thread adds, any may read.

    Parameters
    ----------
    table
        What the columns are.
    """

    table: OutputTable
    _parts: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, key: str, rows: NDArray[np.float64]) -> None:
        """Add the rows of a block; those that were there under the same key are replaced."""
        self._parts[key] = rows

    @property
    def rows(self) -> NDArray[np.float64]:
        """All rows (row, column) in raster order: at the end, the order of the whole table."""
        none = np.empty((0, len(self.table.columns)))
        return raster_order(self.table, np.concatenate([none, *list(self._parts.values())]))
