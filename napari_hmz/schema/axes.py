"""Axes by name: sizes, regions and boxes never depend on the order of an array's axes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

AxisName = Literal["t", "c", "z", "y", "x"]
"""Time, channel, depth, row, column."""

AXIS_ORDER: tuple[AxisName, ...] = ("t", "c", "z", "y", "x")
"""The order in which we write axes when nothing else decides it (that of OME-Zarr)."""

SPATIAL_AXES: tuple[AxisName, ...] = ("z", "y", "x")

Interval = tuple[int, int]
"""First index, and one past the last."""

Sizes = dict[AxisName, int]
"""Axis name to a number of voxels."""

Region = dict[AxisName, Interval]
"""Axis name to the half-open interval taken along it."""


def check_axes(axes: tuple[AxisName, ...]) -> tuple[AxisName, ...]:
    """Return `axes` if there are some and none stands twice.

    Raises
    ------
    ValueError
        If `axes` is empty or names an axis twice.
    """
    if not axes or len(set(axes)) != len(axes):
        raise ValueError(f"axes must be distinct and at least one, not {list(axes)}")
    return axes


Axes = Annotated[tuple[AxisName, ...], AfterValidator(check_axes)]
"""The axes of an array, outermost first."""


def sizes_of(axes: Sequence[AxisName], shape: Sequence[int]) -> Sizes:
    """Name the extents of an array."""
    return dict(zip(axes, (int(extent) for extent in shape), strict=True))


def full_region(shape: Mapping[AxisName, int]) -> Region:
    """Return the region that covers all of `shape`."""
    return {axis: (0, extent) for axis, extent in shape.items()}


def extents(region: Mapping[AxisName, Interval]) -> Sizes:
    """Return the number of voxels of `region` along each axis."""
    return {axis: stop - start for axis, (start, stop) in region.items()}


def intersection(first: Mapping[AxisName, Interval], second: Mapping[AxisName, Interval]) -> Region:
    """Return what two regions share, axis by axis of the first.

    An axis that only one of them names does not bound it; where they do not meet, the interval
    has no voxels (its stop equals its start).
    """
    shared: Region = {}
    for axis, (start, stop) in first.items():
        low, high = second.get(axis, (start, stop))
        begin = max(start, low)
        shared[axis] = (begin, max(begin, min(stop, high)))
    return shared


def slices(region: Mapping[AxisName, Interval], axes: Sequence[AxisName]) -> tuple[slice, ...]:
    """Return the index that cuts `region` out of an array with these `axes`."""
    return tuple(slice(*region[axis]) for axis in axes)
