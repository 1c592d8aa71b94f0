"""A picture of an image with its labels: the middle plane beside the projection of all planes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hmz.results.disk import writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DARK, _BRIGHT = 1.0, 99.8
"""Percentiles shown as black and white."""
_TINT = 0.35
"""How much of the label's colour covers its inside."""
_GOLDEN = 0.618033988749895
"""Steps of hue: neighbouring label numbers get distant colours."""
_GAP_PX = 4
_SMALLEST_PX = 512
"""Smaller planes are enlarged by whole factors."""


def write_overlay(path: str | Path, image: "NDArray[Any]", labels: "NDArray[Any]") -> None:
    """Write a PNG of an image in grey with labels outlined and tinted in colours.

    Parameters
    ----------
    image
        (y, x) or (z, y, x), any dtype; of a volume the middle plane is shown on the left and the
        brightest voxel of each column on the right.
    labels
        Of the same shape; 0 is background.

    Raises
    ------
    ValueError
        If the shapes differ, or are neither planes nor volumes.
    DiskFull
        If there is no space for it.
    """
    from PIL import Image

    picture = overlay(image, labels)
    with writing(path):
        Image.fromarray(picture).save(path, format="PNG")


def overlay(image: "NDArray[Any]", labels: "NDArray[Any]") -> "NDArray[np.uint8]":
    """Return the picture of `write_overlay`: (y, x, rgb), uint8."""
    if image.shape != labels.shape or image.ndim not in (2, 3):
        raise ValueError(f"image {image.shape} and labels {labels.shape} must be planes or volumes")
    if image.ndim == 2:  # noqa: PLR2004 # a plane
        return _panel(image, labels)
    middle = image.shape[0] // 2
    left = _panel(image[middle], labels[middle])
    right = _panel(image.max(axis=0), labels.max(axis=0))
    gap = np.full((left.shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def _panel(image: "NDArray[Any]", labels: "NDArray[Any]") -> "NDArray[np.uint8]":
    zoom = max(1, -(-_SMALLEST_PX // max(1, *image.shape)))
    grey = _grey(image).repeat(zoom, axis=0).repeat(zoom, axis=1)[..., None]
    large = labels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    colours = _colours(large)
    weight = np.where(large > 0, _TINT, 0.0)
    weight[_outlines(large)] = 1.0
    mixed = grey * (1 - weight[..., None]) + colours * weight[..., None]
    picture: NDArray[np.uint8] = np.rint(mixed * 255).astype(np.uint8)
    return picture


def _grey(image: "NDArray[Any]") -> "NDArray[np.float64]":
    values = np.nan_to_num(image.astype(np.float64))
    low, high = np.percentile(values, (_DARK, _BRIGHT))
    scaled: NDArray[np.float64] = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return scaled


def _outlines(labels: "NDArray[Any]") -> "NDArray[np.bool_]":
    """Return the voxels of objects that touch another value."""
    edges = np.zeros(labels.shape, bool)
    differs = labels[1:] != labels[:-1]
    edges[1:] |= differs
    edges[:-1] |= differs
    differs = labels[:, 1:] != labels[:, :-1]
    edges[:, 1:] |= differs
    edges[:, :-1] |= differs
    return edges & (labels > 0)


def _colours(labels: "NDArray[Any]") -> "NDArray[np.float64]":
    """Return a saturated colour per label: (y, x, rgb), 0 to 1."""
    hue = (labels.astype(np.float64) * _GOLDEN) % 1.0 * 6
    ramps = np.stack([np.abs(hue - 3) - 1, 2 - np.abs(hue - 2), 2 - np.abs(hue - 4)], axis=-1)
    colours: NDArray[np.float64] = np.clip(ramps, 0, 1)
    return colours
