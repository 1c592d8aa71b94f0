"""The order in which the blocks of a run are worked on, as one array: the order of `blocks`."""

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning.blocks import axis_to_split
from hmz_backend.planning.roles import ordered
from napari_hmz.schema import Plan

Counts = tuple[int, ...]


def run_order(plan: Plan) -> NDArray[np.int64]:
    """Return the index of every block, neighbours close together; int64.

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
