"""The levels of a pyramid: how much coarser each is, and which one suits a model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_hmz.schema import Axes, AxisName, Interval, Region


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a pyramid.

    Parameters
    ----------
    shape
        Its extents, outermost first.
    factors
        How much longer a voxel is than one of the finest level, for each axis of `shape`.
    """

    shape: tuple[int, ...]
    factors: tuple[float, ...]

    def words(self, sizes: Mapping[AxisName, float], axes: Axes) -> str:
        """Return its extents, and the width of its pixels if the finest one's is known (in µm)."""
        extents = " x ".join(map(str, self.shape))
        factor = dict(zip(axes, self.factors, strict=False)).get("x")
        if "x" not in sizes or factor is None:
            return extents
        return f"{extents}, {sizes['x'] * factor:.3g} µm"

    def region(self, region: Mapping[AxisName, Interval], axes: Axes) -> Region:
        """Return the voxels of this level that a region of the finest one touches."""
        sizes = {
            axis: (extent, factor)
            for axis, extent, factor in zip(axes, self.shape, self.factors, strict=False)
        }
        found: Region = {}
        for axis, (start, stop) in region.items():
            extent, factor = sizes[axis]
            first = min(math.floor(start / factor), extent - 1)
            found[axis] = (first, max(first + 1, min(extent, math.ceil(stop / factor))))
        return found


def levels_of(shapes: Sequence[Sequence[int]]) -> tuple[Level, ...]:
    """Return the levels of a pyramid with these shapes, the finest first."""
    finest = shapes[0]
    return tuple(
        Level(
            tuple(map(int, shape)),
            tuple(float(whole / extent) for whole, extent in zip(finest, shape, strict=True)),
        )
        for shape in shapes
    )


def nearest_level(
    levels: Sequence[Level],
    axes: Axes,
    sizes: Mapping[AxisName, float],
    wanted: Mapping[AxisName, float],
) -> int:
    """Return the level whose voxel size is nearest to the model's; 0 if one is not known.

    Parameters
    ----------
    axes
        Those of the levels' shapes.
    sizes, wanted
        The voxel size of the finest level, and the model's, both in micrometres.
    """
    common: list[AxisName] = [axis for axis in axes if axis in sizes and axis in wanted]
    if not common:
        return 0

    def distance(number: int) -> float:
        factors = dict(zip(axes, levels[number].factors, strict=False))
        return max(abs(math.log(sizes[axis] * factors[axis] / wanted[axis])) for axis in common)

    return min(range(len(levels)), key=distance)  # of equals the finest
