"""Threshold and connected components: the processing step of the `components` packages.

This file has no imports of its own project, since it travels inside model packages; it runs with
numpy 1.26 and 2.x.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def label_components(
    threshold: float | None = None, connectivity: str = "faces", otsu: float | None = None
) -> Callable[[NDArray[Any]], NDArray[np.uint32]]:
    """Make a step that labels what is brighter than a threshold.

    Parameters
    ----------
    threshold
        Voxels above it are foreground; none: `otsu`, or Otsu's threshold of the array itself.
    connectivity
        `faces`: voxels that share a face are connected; `full`: those that share an edge or a
        corner as well.
    otsu
        Otsu's threshold of the whole volume, so that all tiles are cut at the same value.
    """

    def step(image: NDArray[Any]) -> NDArray[np.uint32]:
        level = _first(threshold, otsu)
        return np.stack([_labels(item, level, connectivity) for item in image])

    return step


def _first(*candidates: float | None) -> float | None:
    return next((value for value in candidates if value is not None), None)


def _labels(image: NDArray[Any], level: float | None, connectivity: str) -> NDArray[np.uint32]:
    reach = image.ndim if connectivity == "full" else 1
    # In double precision: a threshold between two floats must cut the same way everywhere.
    mask = image.astype(np.float64) > (_own_otsu(image) if level is None else level)
    labels, _ = ndimage.label(mask, structure=ndimage.generate_binary_structure(image.ndim, reach))
    return np.asarray(labels, dtype=np.uint32)


def _own_otsu(image: NDArray[Any]) -> float:
    from skimage.filters import threshold_otsu

    finite = image[np.isfinite(image)]
    if finite.size == 0 or finite.min() == finite.max():
        return float("inf")
    return float(threshold_otsu(finite))
