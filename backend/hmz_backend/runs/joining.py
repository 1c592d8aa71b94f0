"""Joining the labels of one output while blocks come, and final ids at the end.

Memory: what `stitching.joining` states, and a few tiles; all others lie in the run's folder. One
thread at a time: the finisher sees to that.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import block_at, neighbours
from hmz_backend.planning.blocks import block_index
from hmz_backend.runs.labelling import IDS, LabelWork
from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.joining import FinalIds, Joiner
from hmz_backend.stitching.planes import join_planes
from napari_hmz.errors import RunFailed
from napari_hmz.schema import Plan

TILES_AT_HAND = 64


@dataclass
class TileShelf(MutableMapping[int, TileLabels]):
    """The labels of tiles: a few at hand, all of them in files that block tasks have written."""

    work: LabelWork
    _known: set[int] = field(default_factory=set)
    _hand: "OrderedDict[int, TileLabels]" = field(default_factory=OrderedDict)

    def __getitem__(self, block: int) -> TileLabels:
        """Return a tile, from its file if need be."""
        if block not in self._hand:
            self._hand[block] = self.work.tile(block)
        self._hand.move_to_end(block)
        while len(self._hand) > TILES_AT_HAND:
            self._hand.popitem(last=False)
        return self._hand[block]

    def __setitem__(self, block: int, tile: TileLabels) -> None:
        """Take a tile whose file is there already."""
        self._known.add(block)
        self._hand[block] = tile

    def __delitem__(self, block: int) -> None:
        """Forget a tile; its file stays for a restart."""
        self._known.discard(block)
        self._hand.pop(block, None)

    def __contains__(self, block: object) -> bool:
        """Return whether a tile is kept."""
        return block in self._known

    def __iter__(self) -> Iterator[int]:
        """Yield the blocks whose tiles are kept."""
        return iter(self._known)

    def __len__(self) -> int:
        """Return how many tiles are kept."""
        return len(self._known)


class Joining:
    """Joins the labels of one output.

    Parameters
    ----------
    work
        The output's labels.
    """

    def __init__(self, work: LabelWork) -> None:
        plan, stitch = work.plan, work.spec.stitch
        self._work = work
        self._joiner = Joiner(
            plan.blocks,
            lambda block: neighbours(plan, block),
            rule=stitch.rule,
            threshold=stitch.threshold,
            kept=TileShelf(work),
        )
        self._order: list[int] = []
        self._starts: list[int] = []
        self._parents = array("q", [0])

    def add(self, blocks: Sequence[int]) -> list[tuple[int, int]]:
        """Take computed blocks; return what they join, as (provisional id, the id shown for it)."""
        merged: list[tuple[int, int]] = []
        for block in blocks:
            tile = self._work.tile(block)
            pairs = self._joiner.add(block, tile)
            self._order.append(block)
            self._starts.append(self._joiner.base(block))
            self._parents.extend(range(len(self._parents), len(self._parents) + tile.count))
            merged += [pair for pair in map(self._merge, pairs.tolist()) if pair is not None]
        flat = self._shown(np.array(merged, np.int64).reshape(-1))
        return [(int(one), int(other)) for one, other in flat.reshape(-1, 2)]

    def finish(self, *, planes: bool) -> FinalIds:
        """Return the final ids; all blocks are in. With `planes`, those of a stack are joined."""
        ids = self._joiner.finish()
        plan = self._work.plan
        if planes and "z" in plan.grid and "z" not in plan.tiled:
            ids = join_planes(ids, plane_pairs(plan), self._core)
        if ids.count > IDS:
            raise RunFailed(f"There are {ids.count} objects; the output holds {IDS} ids.")
        return ids

    def _core(self, block: int) -> NDArray[np.generic]:
        return self._work.core(block_at(self._work.plan, block))

    def _merge(self, pair: Sequence[int]) -> tuple[int, int] | None:
        """Join two sets; return the root that was hooked, and to which (once per id)."""
        low, high = sorted((self._root(pair[0]), self._root(pair[1])))
        if low == high:
            return None
        self._parents[high] = low
        return high, low

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def _shown(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the provisional ids in chunks for those that the joiner counts with."""
        if not len(numbers):
            return numbers
        starts = np.array(self._starts)
        places = np.searchsorted(starts, numbers, side="left") - 1
        blocks = np.array(self._order)[places]
        return self._work.shown(blocks, numbers - starts[places])


def plane_pairs(plan: Plan) -> Iterator[list[tuple[int, int]]]:
    """Yield, for each two planes that follow each other, the blocks that lie over each other."""
    for low in range(plan.grid["z"] - 1):
        others = {axis: n for axis, n in plan.grid.items() if axis != "z"}
        stacks: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for place in np.ndindex(*others.values()):
            position = dict(zip(others, place, strict=True))
            stack = tuple(n for axis, n in position.items() if axis not in plan.tiled)
            pair = tuple(block_index(plan, {**position, "z": z}) for z in (low, low + 1))
            stacks.setdefault(stack, []).append((pair[0], pair[1]))
        yield from stacks.values()
