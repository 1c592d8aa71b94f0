"""The counting of objects part by part: what is kept grows with the objects, not with the image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DENSE = 4
"""Labels that lie no thinner than one in so many voxels are counted without sorting."""
_FIRST_ROOM = 1024


class Tally:
    """What has been seen of each label so far.

    Parameters
    ----------
    ndim
        How many axes the label image has.
    with_intensity
        Whether values of an image are counted, too.
    """

    def __init__(self, ndim: int, *, with_intensity: bool) -> None:
        self._rows: dict[int, int] = {}
        self._voxels = np.zeros(_FIRST_ROOM, np.int64)
        self._sums = np.zeros((ndim, _FIRST_ROOM), np.float64)
        self._first = np.full((ndim, _FIRST_ROOM), np.iinfo(np.int64).max)
        self._last = np.full((ndim, _FIRST_ROOM), -1, np.int64)
        room = _FIRST_ROOM if with_intensity else 0
        self._total = np.zeros(room, np.float64)
        self._lowest = np.full(room, np.inf)
        self._highest = np.full(room, -np.inf)

    def add(
        self, labels: NDArray[Any], origin: tuple[int, ...], values: NDArray[Any] | None
    ) -> None:
        """Count a part of the image.

        Parameters
        ----------
        labels
            Integers; what is not above 0 belongs to no object.
        origin
            Index of the part's first voxel in the whole.
        values
            Of the image, in the extents of `labels`; None if it is not counted.
        """
        mask = labels > 0
        found = labels[mask]
        if not found.size:
            return
        ids, groups = _grouped(found)
        counts = np.bincount(groups, minlength=len(ids))
        here = np.flatnonzero(counts)
        part = _Part(groups, len(ids), here, self._rows_of(ids[here]))
        self._voxels[part.rows] += counts[here]
        for axis, start in enumerate(origin):
            self._sums[axis, part.rows] += float(start) * counts[here]
            self._place(axis, start, _along(axis, mask), part)
        if values is not None:
            self._measure(values[mask].astype(np.float64), part)

    def result(self) -> "Counted":
        """Return what was counted, in ascending order of the labels."""
        labels = np.fromiter(self._rows, np.uint64, len(self._rows))
        order = np.argsort(labels)
        rows = np.fromiter(self._rows.values(), np.intp, len(self._rows))[order]
        wide = labels.size and labels.max() > np.iinfo(np.int64).max
        voxels = self._voxels[rows]
        with np.errstate(invalid="ignore"):  # infinite values of an image have no mean
            mean = self._total[rows] / voxels if self._total.size else None
        return Counted(
            labels=labels[order] if wide else labels[order].astype(np.int64),
            voxels=voxels,
            centroids=self._sums[:, rows] / voxels,
            first=self._first[:, rows],
            stop=self._last[:, rows] + 1,
            mean=mean,
            lowest=self._lowest[rows] if mean is not None else None,
            highest=self._highest[rows] if mean is not None else None,
        )

    def _place(self, axis: int, start: int, places: NDArray[np.intp], part: "_Part") -> None:
        """Count where along one axis the voxels of each label lie."""
        rows = part.rows
        self._sums[axis, rows] += part.sums(places)
        first, last = part.span(places, np.iinfo(np.int64).max, -1)
        self._first[axis, rows] = np.minimum(self._first[axis, rows], first + start)
        self._last[axis, rows] = np.maximum(self._last[axis, rows], last + start)

    def _measure(self, values: NDArray[np.float64], part: "_Part") -> None:
        rows = part.rows
        self._total[rows] += part.sums(values)
        lowest, highest = part.span(values, np.inf, -np.inf)
        self._lowest[rows] = np.minimum(self._lowest[rows], lowest)
        self._highest[rows] = np.maximum(self._highest[rows], highest)

    def _rows_of(self, ids: NDArray[Any]) -> NDArray[np.intp]:
        known = self._rows
        rows = np.array([known.setdefault(each, len(known)) for each in ids.tolist()], np.intp)
        room = len(self._voxels)
        if len(known) > room:
            more = max(len(known), 2 * room) - room
            self._voxels = _longer(self._voxels, more, 0)
            self._sums = _longer(self._sums, more, 0)
            self._first = _longer(self._first, more, np.iinfo(np.int64).max)
            self._last = _longer(self._last, more, -1)
            if self._total.size:
                self._total = _longer(self._total, more, 0)
                self._lowest = _longer(self._lowest, more, np.inf)
                self._highest = _longer(self._highest, more, -np.inf)
        return rows


@dataclass(frozen=True, eq=False)
class Counted:
    """What a tally has found: one entry per label, (axis, label) where it goes by axis."""

    labels: NDArray[Any]
    voxels: NDArray[np.int64]
    centroids: NDArray[np.float64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    """One past the last index."""
    mean: NDArray[np.float64] | None
    lowest: NDArray[np.float64] | None
    highest: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class _Part:
    """The voxels of objects in a part of the image.

    Parameters
    ----------
    groups
        Of each voxel, below `count`.
    here
        The groups that have a voxel, ascending.
    rows
        Of the tally, for each of `here`.
    """

    groups: NDArray[np.intp]
    count: int
    here: NDArray[np.intp]
    rows: NDArray[np.intp]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sum of the voxels' values, by group."""
        weights = values.astype(np.float64, copy=False)
        sums = np.bincount(self.groups, weights, self.count).astype(np.float64, copy=False)
        return sums[self.here]

    def span(
        self, values: NDArray[Any], above: float, below: float
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the smallest and the largest of the voxels' values, by group."""
        low = np.full(self.count, above, values.dtype)
        high = np.full(self.count, below, values.dtype)
        np.minimum.at(low, self.groups, values)
        np.maximum.at(high, self.groups, values)
        return low[self.here], high[self.here]


def _grouped(found: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return labels, and for each voxel which of them it has; some may have none."""
    low, high = int(found.min()), int(found.max())
    if high - low < _DENSE * found.size:
        groups = (found - found.dtype.type(low)).astype(np.intp)
        return np.arange(low, high + 1, dtype=np.uint64), groups
    ids, inverse = np.unique(found, return_inverse=True)
    return ids, inverse.astype(np.intp).reshape(-1)


def _along(axis: int, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the index along one axis of every voxel in the mask, in raster order."""
    extents = [1] * mask.ndim
    extents[axis] = mask.shape[axis]
    numbers = np.arange(mask.shape[axis]).reshape(extents)
    chosen: NDArray[np.intp] = np.broadcast_to(numbers, mask.shape)[mask]
    return chosen


def _longer(array: NDArray[Any], more: int, value: float) -> NDArray[Any]:
    missing = np.full((*array.shape[:-1], more), value, array.dtype)
    return np.concatenate([array, missing], axis=-1)
