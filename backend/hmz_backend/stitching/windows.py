"""Blending windows: how much a tile's result counts, by its distance from the tile's edge."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weight = Literal["linear", "gaussian"]
_SIGMAS = 8  # across a tile: at its corners the weight is small, and still far from 0 in float64


def window(length_px: int, ramp_px: int, weight: Weight) -> NDArray[np.float64]:
    r"""Return the weights along one axis of a result: all positive, at most 1.

    ```
    linear       ___________          gaussian      . - .
                /           \                   /       \
               /             \                _-           -_
              ├─ramp─┤                       ├──── length ────┤
    ```

    Parameters
    ----------
    length_px
        Extent of the result.
    ramp_px
        Over how many voxels from each end the linear weight rises: twice the halo, so that
        the weights of two neighbours add up to the same everywhere.
    weight
        The kind of window.
    """
    place = np.arange(length_px, dtype=np.float64)
    if weight == "gaussian":
        sigma = max(length_px, 1) / _SIGMAS
        return np.exp(-0.5 * ((place - (length_px - 1) / 2) / sigma) ** 2)
    from_edge = np.minimum(place, length_px - 1 - place) + 1
    return np.minimum(1.0, from_edge / (ramp_px + 1))
