"""Where the voxels of a label image lie in the world, and how large one is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_hmz.lengths import in_micrometres
from napari_hmz.schema import SPATIAL_AXES, Axes, AxisName

_SHORT = {
    "nanometer": "nm",
    "micrometer": "um",
    "millimeter": "mm",
    "meter": "m",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
}
_SIZE_NAMES = {1: "length", 2: "area", 3: "volume"}


@dataclass(frozen=True, eq=False)
class Space:
    """How indices of a label image become places in the world.

    Parameters
    ----------
    axes
        What the rows and columns of `matrix` belong to.
    matrix
        Homogeneous, (n + 1, n + 1): `matrix @ (*index, 1)` is the place of a voxel's centre.
    units
        Of the world, along the axes that have one.
    """

    axes: Axes
    matrix: NDArray[np.float64]
    units: Mapping[AxisName, str]

    @classmethod
    def plain(
        cls,
        axes: Axes,
        voxel_size: Mapping[AxisName, float],
        translation: Mapping[AxisName, float],
        units: Mapping[AxisName, str],
    ) -> "Space":
        """Return the space of an image that is neither turned nor sheared."""
        matrix = np.diag([*(voxel_size.get(axis, 1.0) for axis in axes), 1.0])
        matrix[:-1, -1] = [translation.get(axis, 0.0) for axis in axes]
        return cls(axes, matrix, units)

    def world(self, indices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places of indices: both (n axes, number of points)."""
        placed: NDArray[np.float64] = self.matrix[:-1, :-1] @ indices + self.matrix[:-1, -1:]
        return placed

    def unit(self, axis: AxisName) -> str:
        """Return the short name of an axis' unit; empty if it has none."""
        unit = self.units.get(axis, "")
        return _SHORT.get(unit, unit)

    def voxel(self) -> tuple[str, str, float] | None:
        """Return what the size of an object is called, its unit, and that of one voxel in it.

        None where a spatial axis has no known unit of length. Turned and sheared voxels count
        with the room that they take.
        """
        places = [at for at, axis in enumerate(self.axes) if axis in SPATIAL_AXES]
        lengths = [in_micrometres(1.0, self.units.get(self.axes[at], "")) for at in places]
        known = [length for length in lengths if length is not None]
        if not places or len(known) < len(places):
            return None
        block = self.matrix[np.ix_(places, places)]
        straight = not np.any(block - np.diag(np.diag(block)))  # then without rounding
        size = abs(float(np.prod(np.diag(block)) if straight else np.linalg.det(block)))
        power = "" if len(places) == 1 else str(len(places))
        return _SIZE_NAMES[len(places)], f"um{power}", size * float(np.prod(known))
