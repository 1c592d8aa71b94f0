"""Images to measure with."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

COARSE_PX = 16
"""How large the structures are."""
PHOTONS, BACKGROUND = 150.0, 20.0


def microscopy(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint16]:
    """Return smooth bright structures on a dark ground as a camera counts them, uint16.

    Photons arrive by chance (Poisson), so that the lower bits are noise; those that a camera does
    not fill stay empty. What repeats does so along the first axis, further apart than any chunk.
    """
    random = np.random.default_rng(seed)
    part = (min(shape[0], 192), *shape[1:]) if len(shape) > 2 else shape
    grid = [-(-extent // COARSE_PX) + 1 for extent in part]
    smooth = ndimage.zoom(random.standard_normal(grid, np.float32), COARSE_PX, order=1)
    inside = smooth[tuple(slice(0, extent) for extent in part)]
    counts = random.poisson(np.clip(inside, 0, None) * PHOTONS + BACKGROUND).astype(np.uint16)
    times = -(-shape[0] // part[0])
    return np.concatenate([counts] * times)[: shape[0]]


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint16]:
    """Return 12 bits of pure noise, which nothing can pack."""
    return np.random.default_rng(seed).integers(0, 4096, shape, dtype=np.uint16)
