"""Labels as runs: stretches of one value along the flattened array. Small, fast, and exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FlatRuns:
    """An array of labels in raster order.

    ```
    0 0 3 3 3 0   ->  ends 2 5 6 …,  values 0 3 0 …
    ```
    """

    ends: NDArray[np.int64]
    """Where each run ends (exclusive), counted over the whole array."""
    values: NDArray[Any]
    """The value of each run, in the array's data type."""

    @property
    def nbytes(self) -> int:
        """What the runs take in memory."""
        return self.ends.nbytes + self.values.nbytes

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How long each run is."""
        return np.diff(self.ends, prepend=0)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each run begins."""
        starts = np.zeros_like(self.ends)
        starts[1:] = self.ends[:-1]
        return starts


def encode(array: NDArray[Any]) -> FlatRuns:
    """Return the runs of an array of any dtype, with at least one voxel."""
    flat = np.ascontiguousarray(array).reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    ends = np.append(changes + 1, len(flat))
    return FlatRuns(ends, flat[ends - 1])


def decode(runs: FlatRuns, shape: Sequence[int]) -> NDArray[Any]:
    """Return the array that `runs` stand for, in the dtype of their values."""
    return np.repeat(runs.values, runs.lengths).reshape(tuple(shape))


def decode_part(runs: FlatRuns, shape: Sequence[int], box: Sequence[slice]) -> NDArray[Any]:
    """Return `decode(runs, shape)[box]` without making the rest; `box` holds at least one voxel."""
    lows, length = _rows(shape, box)
    highs = lows + length
    first = np.searchsorted(runs.ends, lows, "right")
    count = np.searchsorted(runs.ends, highs, "left") - first + 1
    behind = np.cumsum(count)  # where the runs of the next row begin
    ends_at = np.arange(behind[-1]) + np.repeat(first + count - behind, count)
    ends = runs.ends[ends_at]
    ends[behind - 1] = highs
    starts = np.empty_like(ends)
    starts[1:] = ends[:-1]
    starts[behind - count] = lows
    extents = [part.stop - part.start for part in box]
    return np.repeat(runs.values[ends_at], ends - starts).reshape(extents)


def _rows(shape: Sequence[int], box: Sequence[slice]) -> tuple[NDArray[np.int64], int]:
    """Return where each unbroken stretch of a box begins in the flattened array, and its length."""
    inner = len(shape) - 1
    while inner and (box[inner].start, box[inner].stop) == (0, shape[inner]):
        inner -= 1  # whole rows follow each other
    size = prod(shape[inner + 1 :])
    lows = np.array([box[inner].start * size])
    stride = size * shape[inner]
    for axis in range(inner - 1, -1, -1):
        places = np.arange(box[axis].start, box[axis].stop) * stride
        lows = (places[:, np.newaxis] + lows).reshape(-1)
        stride *= shape[axis]
    return lows, (box[inner].stop - box[inner].start) * size
