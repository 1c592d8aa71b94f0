"""Bright spots as points: the class that stands in place of a network in the `spots` packages.

This file has no imports of its own project, since it travels inside model packages; it runs with
numpy 1.26 and 2.x.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


class Spots:
    """Finds the peaks of the negative Laplacian of a Gaussian, scaled by the square of its sigma.

    A round spot of this sigma, of brightness 1 over its ground, has a response of about one half.

    Parameters
    ----------
    folder, threads
        Of every such class; nothing is read here, and one thread is enough.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        del folder, threads

    def predict(
        self,
        inputs: Mapping[str, NDArray[Any]],
        parameters: Mapping[str, Any],
        statistics: Mapping[str, Any] | None,
    ) -> dict[str, NDArray[np.float32]]:
        """Return the spots of a tile (spatial axes) as rows: coordinates in voxels, response."""
        image = np.asarray(inputs["image"], np.float32)
        sigma = float(parameters["sigma"])
        response = -(sigma**2) * ndimage.gaussian_laplace(image, sigma, output=np.float32)
        least = parameters.get("threshold")
        least = _deviation(image, statistics) if least is None else float(least)
        highest = ndimage.maximum_filter(response, 2 * int(np.ceil(sigma)) + 1)
        places = np.nonzero((response == highest) & (response > least))
        return {"spots": np.stack([*places, response[places]], axis=1).astype(np.float32)}


def _deviation(image: NDArray[np.float32], statistics: Mapping[str, Any] | None) -> float:
    """Return the standard deviation of the whole image, as far as it is known."""
    channels = (statistics or {}).get("channels") or [{}]
    known = channels[0].get("std")
    return float(image.std()) if known is None else float(known)
