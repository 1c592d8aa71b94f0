"""Bring a tile to the scale that the network knows, and its results back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from .errors import TileRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAXIMUM_ZOOM = 16.0
"""Beyond this factor an axis would swallow the memory of a whole machine."""


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


def zoomed_shape(
    axes: Sequence[str], shape: Sequence[int], zoom: Mapping[str, float]
) -> tuple[int, ...]:
    """Return the shape of an array with these axes after zooming."""
    pairs = zip(axes, shape, strict=True)
    return tuple(max(1, round(extent * zoom.get(axis, 1.0))) for axis, extent in pairs)


def resize(array: "NDArray[Any]", shape: tuple[int, ...], *, linear: bool = True) -> "NDArray[Any]":
    """Resample an array to `shape`; the areas of its voxels stay in register.

    Parameters
    ----------
    array
        Any axes; those whose extent stays are left alone.
    shape
        Wanted extents.
    linear
        Linear, in float32, smoothed first where it shrinks; else the nearest value, dtype kept
        (labels).
    """
    if array.shape == shape:
        return array
    factors = np.array([old / new for old, new in zip(array.shape, shape, strict=True)])
    source = array.astype(np.float32) if linear else array
    sigmas = [max(0.0, (factor - 1) / 2) for factor in factors]
    if linear and any(sigmas):
        source = ndimage.gaussian_filter(source, sigmas)
    result: NDArray[Any] = ndimage.affine_transform(
        source,
        factors,
        offset=0.5 * (factors - 1),
        output_shape=shape,
        order=1 if linear else 0,
        mode="nearest",
    )
    return result
