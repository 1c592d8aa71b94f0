"""Which part of an image a run is to work on: what is in view, what a box holds, which times.

Pure: a window says what it shows, by the names of the axes and in voxels of the image.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_hmz.schema import AxisName, Interval, Region, Sizes

PREVIEW_FLAT_PX = 1024
"""How far a preview reaches along each axis on show, in a plane."""
PREVIEW_DEEP_PX = 96
"""The same in 3-D, where it costs the third power."""


@dataclass(frozen=True)
class View:
    """What a window shows of an image.

    Parameters
    ----------
    shown
        The axes on show, each with the first and last voxel that can be seen; both may lie
        outside of the image.
    hidden
        The other axes, each with the index that is shown of it.
    centre
        In 3-D: the voxel in the middle of the window, by the axes on show.
    """

    shown: Mapping[AxisName, tuple[float, float]]
    hidden: Mapping[AxisName, float] = field(default_factory=dict)
    centre: Mapping[AxisName, float] = field(default_factory=dict)

    def region(self, shape: Sizes) -> Region:
        """Return what can be seen of an image of this shape; empty if that is nothing."""
        seen = {
            axis: _clipped(math.floor(low), math.ceil(high) + 1, shape[axis])
            for axis, (low, high) in self.shown.items()
        }
        for axis, place in self.hidden.items():
            index = min(max(round(place), 0), shape[axis] - 1)
            seen[axis] = (index, index + 1)
        return seen if all(end > first for first, end in seen.values()) else {}

    def preview(self, shape: Sizes) -> Region:
        """Return what a preview works on: the middle of what is seen; empty if that is nothing."""
        seen = self.region(shape)
        most_px = PREVIEW_DEEP_PX if self.centre else PREVIEW_FLAT_PX
        return seen | {
            axis: around(seen[axis], self.centre.get(axis), most_px)
            for axis in self.shown
            if axis in seen
        }

    def focus(self, shape: Sizes) -> Region:
        """Return what shall be done first: only the axes of which less than all is looked at."""
        seen = self.preview(shape) if self.centre else self.region(shape)
        return {axis: ends for axis, ends in seen.items() if ends != (0, shape[axis])}


def around(ends: Interval, middle: float | None, most_px: int) -> Interval:
    """Return at most `most_px` of an interval around `middle`; none: around its own middle."""
    first, end = ends
    size = min(most_px, end - first)
    wanted = round((first + end if middle is None else 2 * middle) / 2 - size / 2)
    begin = min(max(wanted, first), end - size)
    return begin, begin + size


def box_region(
    low: Mapping[AxisName, float], high: Mapping[AxisName, float], shape: Sizes
) -> Region:
    """Return the voxels of an image that a box holds; empty if it lies outside.

    An axis along which the box is flat is taken whole: a rectangle drawn in one plane means the
    same part of all planes.
    """
    region: Region = {}
    for axis, size in shape.items():
        first, last = low.get(axis, 0.0), high.get(axis, 0.0)
        if axis not in low or last - first < 1:
            region[axis] = (0, size)
        else:
            region[axis] = _clipped(math.floor(first + 0.5), math.floor(last + 0.5) + 1, size)
    return region if all(end > first for first, end in region.values()) else {}


def _clipped(first: int, end: int, size: int) -> Interval:
    return max(first, 0), min(end, size)
