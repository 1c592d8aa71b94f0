"""Bring a tile to the scale that the network knows, and its results back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from .errors import TileRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAXIMUM_ZOOM = 16.0
"""Beyond this factor an axis would swallow the memory of a whole machine."""
DIGITS = 6
"""Of a place on the network's scale: what is closer to a voxel's edge than this lies on it."""


def zoom_of(rule: Mapping[str, Any], parameters: Mapping[str, object]) -> dict[str, float]:
    """Return axis name -> factor by which a tile grows before the network.

    Raises
    ------
    TileRejected
        If the parameter's value is not positive, or asks for more than `MAXIMUM_ZOOM`.
    """
    if not rule:
        return {}
    value = parameters.get(rule["parameter"])
    if value is None:
        return {}
    size = float(str(value))
    factor = float(rule["reference"]) / size if size > 0 else 0.0
    if not 1 / MAXIMUM_ZOOM <= factor <= MAXIMUM_ZOOM:
        raise TileRejected(f"{rule['parameter']} = {value} asks for a zoom by {factor:.3g}")
    return {} if factor == 1.0 else {str(axis): factor for axis in rule["axes"]}


@dataclass(frozen=True, slots=True)
class Stretch:
    """One axis of a tile on the grid that the whole volume has at the network's scale.

    ```
    volume    │ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ 7 │ 8 │ 9 │     zoom 0.4: two voxels for five
    scaled    │    0    │    1    │    2    │    3    │
    tile                    │ 4 │ 5 │ 6 │ 7 │ 8 │ 9 │
    stretch             │    1    │    2    │    3    │     from a whole step of the network on
    ```

    All tiles lie on one grid, so that two of them see an object in the same place between its
    voxels. What the stretch has beyond the tile is mirrored.

    Parameters
    ----------
    zoom
        How many voxels at the network's scale a voxel has.
    origin
        Where the tile begins, in voxels of the volume.
    extent
        The tile's extent.
    first
        Where the stretch begins, in voxels at the network's scale.
    length
        The stretch's extent.
    """

    zoom: float
    origin: int
    extent: int
    first: int
    length: int

    @classmethod
    def over(cls, zoom: float, origin: int, extent: int, step: int) -> "Stretch":
        """Return the shortest stretch over a tile that begins at a multiple of `step`."""
        if zoom == 1.0:
            return cls(zoom, origin, extent, origin, extent)
        low, high = (round(place * zoom, DIGITS) for place in (origin, origin + extent))
        first = math.floor(low / step) * step
        return cls(zoom, origin, extent, first, math.ceil(high) - first)

    @property
    def into(self) -> "tuple[float, float]":
        """Where the first voxel of the stretch lies in the tile, and how far apart they are."""
        spacing = 1 / self.zoom
        return (self.first + 0.5) * spacing - 0.5 - self.origin, spacing

    @property
    def back(self) -> "tuple[float, float]":
        """Where the first voxel of the tile lies in the stretch, and how far apart they are."""
        return (self.origin + 0.5) * self.zoom - 0.5 - self.first, self.zoom


def resample(
    array: "NDArray[Any]",
    shape: tuple[int, ...],
    places: "Sequence[tuple[float, float]]",
    *,
    linear: bool = True,
) -> "NDArray[Any]":
    """Resample an array; beyond its edges it is mirrored.

    Parameters
    ----------
    array
        Any axes.
    shape
        Wanted extents.
    places
        For each axis, where the first wanted voxel lies in the array, and how far apart they are.
    linear
        Linear, in float32, smoothed first where it shrinks; else the nearest value, dtype kept
        (labels).
    """
    if array.shape == shape and all(place == (0.0, 1.0) for place in places):
        return array
    starts, spacing = np.array(places, np.float64).T
    source = array.astype(np.float32) if linear else array
    sigmas = [max(0.0, (step - 1) / 2) for step in spacing]
    if linear and any(sigmas):
        source = ndimage.gaussian_filter(source, sigmas)
    result: NDArray[Any] = ndimage.affine_transform(
        source,
        spacing,
        offset=starts,
        output_shape=shape,
        order=1 if linear else 0,
        mode="reflect",
    )
    return result
