"""Union-find over arrays: millions of pairs at once, no Python loop over objects."""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class UnionFind:
    """Sets of the numbers 0 … size-1; each is represented by its smallest member.

    Memory: 8 bytes per number, and as much again while joining.

    Parameters
    ----------
    size
        How many numbers there are.
    """

    def __init__(self, size: int) -> None:
        self._parent: Ids = np.arange(size, dtype=np.int64)

    def union(self, first: Ids, second: Ids) -> None:
        """Join the sets of `first[i]` and `second[i]`, for every i."""
        while len(first):
            self._flatten()
            first, second = self._parent[first], self._parent[second]
            apart = first != second
            first, second = first[apart], second[apart]
            low, high = np.minimum(first, second), np.maximum(first, second)
            # A root that is hooked to several others keeps the lowest; the rest come again.
            np.minimum.at(self._parent, high, low)
            first, second = low, high

    def roots(self) -> Ids:
        """Return the smallest member of the set of each number."""
        self._flatten()
        return self._parent.copy()

    def _flatten(self) -> None:
        while True:
            above = self._parent[self._parent]
            if np.array_equal(above, self._parent):
                return
            self._parent = above


def ranks(roots: Ids) -> tuple[Ids, int]:
    """Return the set of each number as 1 … N, by smallest members, and N."""
    is_root = roots == np.arange(len(roots))
    return np.cumsum(is_root)[roots], int(is_root.sum())
