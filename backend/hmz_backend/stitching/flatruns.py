"""Labels as runs: stretches of one value along the flattened array. Small, fast, and exact."""

from collections.abc import Sequence
from dataclasses import dataclass
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
