"""The order in which the blocks of a run are worked on, as one array: the order of `blocks`.

An image stored by planes is read a slab at a time, so its blocks go slab by slab:

```
┌───┬───┐
│1 2│5 6│  slab 0: chunks that the client reads together
│3 4│7 8│
├───┼───┤
│9 …│   │  slab 1: none before the last of slab 0
└───┴───┘
```
"""

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning.blocks import axis_to_split
from hmz_backend.planning.roles import ordered
from napari_hmz.schema import Plan, Sizes

Counts = tuple[int, ...]


def run_order(plan: Plan, together: Sizes | None = None) -> NDArray[np.int64]:
    """Return the index of every block, neighbours close together; int64.

    Parameters
    ----------
    together
        Extents of the boxes that the source is best read in, in voxels by axis: blocks that begin
        in one box follow each other.
    """
    near = _walk(plan)
    return _by_box(plan, near, together) if together else near


def _by_box(plan: Plan, order: NDArray[np.int64], together: Sizes) -> NDArray[np.int64]:
    axes = ordered(plan.grid)
    places = np.unravel_index(order, [plan.grid[axis] for axis in axes])
    boxes = [
        (plan.region[axis][0] + place * plan.block[axis]) // together[axis]
        for axis, place in zip(axes, places, strict=True)
        if axis in together
    ]
    return order[np.lexsort(boxes[::-1])]  # stable; its last key counts most


def _walk(plan: Plan) -> NDArray[np.int64]:
    """Return the order of `blocks`.

    Boxes of the same extents are walked in the same way, so that each extent is walked once: a
    million blocks take milliseconds.
    """
    axes = ordered(plan.grid)
    counts = tuple(plan.grid[axis] for axis in axes)
    steps = [int(np.prod(counts[place + 1 :])) for place in range(len(axes))]
    known: dict[Counts, NDArray[np.int64]] = {}

    def walk(box: Counts) -> NDArray[np.int64]:
        if box not in known:
            axis = axis_to_split(plan, dict(zip(axes, box, strict=True)))
            known[box] = np.zeros(1, np.int64) if axis is None else split(box, axes.index(axis))
        return known[box]

    def split(box: Counts, place: int) -> NDArray[np.int64]:
        half = 1 << ((box[place] - 1).bit_length() - 1)  # as `blocks` does
        low = walk((*box[:place], half, *box[place + 1 :]))
        high = walk((*box[:place], box[place] - half, *box[place + 1 :]))
        return np.concatenate([low, high + half * steps[place]])

    return walk(counts)
