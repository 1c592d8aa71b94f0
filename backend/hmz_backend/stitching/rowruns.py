"""Labels as runs: along each row of the last axis, stretches of one value. Small, and exact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint32] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class RowRuns:
    """An array of labels, row by row.

    ```
    row 0   0 0 3 3 3 0   ->  stops 2 5 6, values 0 3 0
    row 1   3 3 3 3 3 3   ->  stops 6,     values 3          offsets 0 3 4
    ```
    """

    shape: tuple[int, ...]
    offsets: NDArray[np.int64]
    """Where each row's runs begin; one more than there are rows."""
    stops: NDArray[np.int64]
    """Where each run ends, within its row."""
    values: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each run."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each run starts, within its row."""
        starts = np.empty_like(self.stops)
        starts[1:] = self.stops[:-1]
        starts[self.offsets[:-1]] = 0
        return starts


def encode(array: NDArray[np.generic]) -> RowRuns:
    """Return the runs of a labels array of any integer dtype, with at least one axis and voxel."""
    length = array.shape[-1]
    flat = np.ascontiguousarray(array).reshape(-1, length)
    is_end = np.ones(flat.shape, bool)
    np.not_equal(flat[:, 1:], flat[:, :-1], out=is_end[:, :-1])
    ends = np.flatnonzero(is_end)
    offsets = np.searchsorted(ends, np.arange(len(flat) + 1) * length)
    values = flat.reshape(-1)[ends].astype(np.int64)
    return RowRuns(array.shape, offsets.astype(np.int64), ends % length + 1, values)


def decode(runs: RowRuns, dtype: type[np.unsignedinteger] = np.uint32) -> NDArray[np.generic]:
    """Return the array that `runs` stand for."""
    lengths = runs.stops - runs.starts
    return np.repeat(runs.values.astype(dtype), lengths).reshape(runs.shape)


def cut(runs: RowRuns, box: Sequence[slice]) -> RowRuns:
    """Return the runs of a part of the array; `box` has a start and a stop for each axis."""
    shape = tuple(side.stop - side.start for side in box)
    rows = np.arange(len(runs.offsets) - 1).reshape(runs.shape[:-1])[tuple(box[:-1])].reshape(-1)
    counts = runs.offsets[rows + 1] - runs.offsets[rows]
    number = _ranges(runs.offsets[rows], counts)
    low, high = box[-1].start, box[-1].stop
    starts = np.maximum(runs.starts[number], low)
    stops = np.minimum(runs.stops[number], high)
    kept = stops > starts
    row = np.repeat(np.arange(len(rows)), counts)[kept]
    offsets = np.searchsorted(row, np.arange(len(rows) + 1)).astype(np.int64)
    return RowRuns(shape, offsets, stops[kept] - low, runs.values[number][kept])


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `start, start + 1, …` for each start, `count` long, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
