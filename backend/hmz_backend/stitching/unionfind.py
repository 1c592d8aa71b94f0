"""Union-find over arrays: millions of pairs at once, no Python loop over objects."""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Pairs = NDArray[np.int64]
"""Two columns of numbers."""


class UnionFind:
    """Sets of the numbers 0 … size-1; each is represented by its smallest member.

    Parameters
    ----------
    parents
        For each number itself, or a smaller one of its set; changed in place. It may be larger
        than memory (a mapped file): only what is asked for is touched.
    """

    def __init__(self, parents: Ids) -> None:
        self._parents = parents

    def find(self, numbers: Ids) -> Ids:
        """Return the smallest member of the set of each number."""
        parents, passed = self._parents, list[Ids]()
        while True:
            above = parents[numbers]
            if np.array_equal(above, numbers):
                break
            passed.append(numbers)
            numbers = above
        for stop in passed:
            parents[stop] = numbers  # the next search is short, whatever the order of joins
        return numbers

    def union(self, first: Ids, second: Ids) -> Pairs:
        """Join the sets of `first[i]` and `second[i]`, for every i.

        Returns
        -------
        Each number that is no smallest member any more, and the one that now is, ascending.
        """
        lost = [np.empty(0, np.int64)]
        while len(first):
            first, second = self.find(first), self.find(second)
            apart = first != second
            first, second = first[apart], second[apart]
            low, high = np.minimum(first, second), np.maximum(first, second)
            # A root that is hooked to several others keeps the lowest; the rest come again.
            np.minimum.at(self._parents, high, low)
            lost.append(np.unique(high))
            self._shorten(lost[-1])
            first, second = low, high
        hooked = np.sort(np.concatenate(lost))
        return np.stack([hooked, self.find(hooked)], axis=1)

    def _shorten(self, hooked: Ids) -> None:
        """Let numbers that were hooked to each other in a chain point to its end."""
        parents = self._parents
        while len(hooked):
            near = parents[hooked]
            far = parents[near]
            moved = far != near
            hooked = hooked[moved]
            parents[hooked] = far[moved]


def flatten(parents: Ids, step: int) -> None:
    """Let every number point to the smallest member of its set, `step` numbers at a time."""
    for start in range(0, len(parents), step):
        # All that came before point to smallest members already: chains end within the step.
        numbers = np.arange(start, min(start + step, len(parents)))
        while True:
            near = parents[numbers]
            far = parents[near]
            if np.array_equal(near, far):
                break
            parents[numbers] = far


def rank(parents: Ids, step: int) -> int:
    """Replace each number of a flat array by the rank of its set, 1 … N; return N.

    Sets are ranked by their smallest members.
    """
    count = 0
    for start in range(0, len(parents), step):
        part = parents[start : start + step]
        roots = np.array(part)
        own = roots == np.arange(start, start + len(part))
        part[own] = count + np.arange(1, int(own.sum()) + 1)
        part[~own] = parents[roots[~own]]
        count += int(own.sum())
    return count
