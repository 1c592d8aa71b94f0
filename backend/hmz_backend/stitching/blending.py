"""Blending: where tiles overlap, their results are averaged with weights.

Runs in worker threads; nothing is shared. Memory: the block's core, twice, in float64.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stitching.cropping import cut_region
from hmz_backend.stitching.windows import Weight, window
from napari_hmz.schema import AxisName, Region, Sizes, extents, intersection


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one tile says about a part of a block.

    Parameters
    ----------
    reach
        How far the tile may speak (`reach`): its weights depend on it.
    region
        The part that `array` holds.
    array
        The values, with the axes of the output.
    """

    reach: Region
    region: Region
    array: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Blend:
    """How results are blended.

    Parameters
    ----------
    axes
        Of the output, outermost first; channels are blended alike.
    halo
        Of the plan: how far a tile may speak beyond its own block.
    weight
        The kind of window.
    """

    axes: tuple[AxisName, ...]
    halo: Sizes
    weight: Weight = "linear"


def reach(core: Region, block: Sizes, halo: Sizes, margin: Sizes) -> Region:
    """Return how far a tile may speak: its block, and the halo less what the result loses.

    ```
    image    ├───────────────────────────────
    tile     ├── core ──┼─ halo ─┤
    reach ├──┼── core ──┼──────┤              the same for all blocks, whatever is cut of their
    other               ├── core ──┼─ ...     tiles: so the weights of neighbours add up to one
    ```

    Parameters
    ----------
    core
        The tile's own block; only where it begins counts.
    block, halo, margin
        Of the plan.
    """
    return {
        axis: (
            begin - halo.get(axis, 0) + margin.get(axis, 0),
            begin + block[axis] + halo.get(axis, 0) - margin.get(axis, 0),
        )
        for axis, (begin, _) in core.items()
    }


def blend(contributions: Iterable[Contribution], core: Region, how: Blend) -> NDArray[Any]:
    """Return the weighted mean of all contributions to a block.

    They are taken in the order of their regions, so that the result does not depend on the
    order in which tiles were computed. Equal contributions give exactly that value.

    Parameters
    ----------
    contributions
        At least one for every voxel of `core`: its own tile speaks for all of it.
    core
        The block.
    how
        Axes and window.

    Returns
    -------
    An array over `core`, in the data type of the contributions; integers are rounded.
    """
    mean: NDArray[np.float64] | None = None
    total = np.zeros([b - a for a, b in (core[axis] for axis in how.axes if axis in core)])
    kind: np.dtype[Any] = np.dtype(np.float32)
    for part in _in_order(contributions, how.axes):
        if mean is None:
            kind = part.array.dtype
            mean = np.zeros(_shape(part, core, how.axes))
        _add(mean, total, part, core, how)
    if mean is None or not (total > 0).all():
        raise ValueError("a voxel of the block has no contribution")
    return _as(mean, kind)


def _in_order(
    contributions: Iterable[Contribution], axes: Sequence[AxisName]
) -> list[Contribution]:
    return sorted(
        contributions,
        key=lambda part: tuple(part.reach[axis] for axis in axes if axis in part.reach),
    )


def _shape(part: Contribution, core: Region, axes: Sequence[AxisName]) -> list[int]:
    lengths = extents(core)
    return [
        lengths[axis] if axis in part.reach else length
        for axis, length in zip(axes, part.array.shape, strict=True)
    ]


def _add(
    mean: NDArray[np.float64],
    total: NDArray[np.float64],
    part: Contribution,
    core: Region,
    how: Blend,
) -> None:
    """Move the running mean towards `part`: exact where both are equal, whatever the weights."""
    shared = intersection(part.region, core)
    if 0 in extents(shared).values():
        return
    named = [axis for axis in how.axes if axis in part.reach]
    weights = _weights(part.reach, shared, named, how)
    inside = cut_region(total, named, core, shared)
    inside += weights
    share = weights / inside
    for number, axis in enumerate(how.axes):
        if axis not in part.reach:
            share = np.expand_dims(share, number)
    target = cut_region(mean, how.axes, _only(core, named), _only(shared, named))
    values = cut_region(part.array, how.axes, _only(part.region, named), _only(shared, named))
    target += (values - target) * share


def _only(region: Region, axes: Sequence[AxisName]) -> Region:
    return {axis: region[axis] for axis in axes}


def _weights(
    reached: Mapping[AxisName, tuple[int, int]],
    shared: Region,
    axes: Sequence[AxisName],
    how: Blend,
) -> NDArray[np.float64]:
    weights = np.ones(())
    for axis in axes:
        start, stop = reached[axis]
        along = window(stop - start, 2 * how.halo.get(axis, 0), how.weight)
        low, high = shared[axis]
        weights = np.multiply.outer(weights, along[low - start : high - start])
    return weights


def _as(mean: NDArray[np.float64], kind: np.dtype[Any]) -> NDArray[Any]:
    if kind.kind not in "iu":
        return mean.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(mean), limits.min, limits.max).astype(kind)
