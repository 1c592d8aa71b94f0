"""Joining the labels of one output while blocks come, and final ids at the end.

```
blocks ─► compared with the neighbours that are in ─► joins.log ─► merges for viewers
              a tile's file goes once all of its neighbours are in, and the log is on the disk
```

Memory: what `stitching.joining` and `TileShelf` state; columns and tiles lie in the run's folder.
One thread at a time: the finisher sees to that.
"""

from array import array
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import block_at, neighbours, plane_pairs
from hmz_backend.runs.column_file import FileColumn
from hmz_backend.runs.join_log import Compared
from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.tile_shelf import TileShelf
from hmz_backend.stitching.joining import Joiner
from hmz_backend.stitching.objects import FinalIds, Objects
from hmz_backend.stitching.planes import join_planes
from hmz_backend.stitching.unionfind import Pairs
from napari_hmz.errors import RunFailed

CLEARED_TOGETHER = 64
JOINED_TOGETHER = 1024  # blocks, when a log is read
Merges = list[tuple[int, int]]


class Joining:
    """Joins the labels of one output.

    Parameters
    ----------
    work
        The output's labels.
    cleared_together
        How many files of tiles are deleted at once: the log is synced once for all of them.
    """

    def __init__(self, work: LabelWork, *, cleared_together: int = CLEARED_TOGETHER) -> None:
        plan, stitch = work.plan, work.spec.stitch
        self._work, self._cleared_together = work, cleared_together
        self._shelf = TileShelf(work)
        self._objects = Objects(plan.blocks, self._column)
        self._joiner = Joiner(
            self._objects,
            partial(neighbours, plan),
            rule=stitch.rule,
            threshold=stitch.threshold,
            kept=self._shelf,
        )
        self._order, self._starts = array("q"), array("q")
        self._lost, self._waiting = set[int](), list[int]()

    def restore(self, pending: NDArray[np.bool_]) -> None:
        """Take up what an earlier driver has compared; nothing of it is compared again.

        Parameters
        ----------
        pending
            For each block, whether it is still to be computed, or to be computed again.
        """
        pairs = list[Pairs]()
        for record in self._work.log.take_up():
            self._joiner.restore(record.block, record.first)
            self._enter(record)
            pairs.append(record.pairs)
            if pending[record.block]:
                self._lost.add(record.block)
            if len(pairs) >= JOINED_TOGETHER:
                self._objects.join(np.concatenate(pairs))
                pairs.clear()
        self._objects.join(np.concatenate([np.empty((0, 2), np.int64), *pairs]))
        self._work.log.forget()
        self._shelf.clear()

    def add(self, blocks: Sequence[int]) -> Merges:
        """Take computed blocks; return what they join, as (provisional id, the id shown for it)."""
        merged = [np.empty((0, 2), np.int64)]
        records = []
        for block in self._ready(blocks):
            tile = self._work.tile(block)
            record = Compared(block, tile.first, self._joiner.add(block, tile))
            self._enter(record)
            records.append(record)
            merged.append(self._objects.join(record.pairs))
        self._work.log.append(records)
        self._clear()
        shown = self._shown(np.concatenate(merged).reshape(-1))
        return [(int(one), int(other)) for one, other in shown.reshape(-1, 2)]

    def _ready(self, blocks: Sequence[int]) -> list[int]:
        """Return which blocks can be compared: the tiles of all neighbours that are in are there.

        A block that is in, but whose files were lost, is computed again; its neighbours wait.
        """
        for block in filter(self._objects.is_in, blocks):
            self._lost.discard(block)
            self._joiner.release(block)
        new = [n for n in (*self._waiting, *blocks) if not self._objects.is_in(n)]
        around = partial(neighbours, self._work.plan)
        self._waiting = [n for n in new if self._lost and not self._lost.isdisjoint(around(n))]
        return [n for n in new if n not in self._waiting]

    def finish(self, *, planes: bool) -> FinalIds:
        """Return the final ids; all blocks are in. With `planes`, those of a stack are joined."""
        self._work.log.sync()  # the log is whole from the first final chunk on
        self._shelf.clear()
        ids = self._objects.finish()
        plan = self._work.plan
        if planes:
            ids = join_planes(ids, plane_pairs(plan), self._core, column=self._column)
        if ids.count > self._work.ids:
            raise RunFailed(f"There are {ids.count} objects; the output holds {self._work.ids}.")
        return ids

    def _column(self, name: str) -> FileColumn:
        return FileColumn(self._work.folder / f"{name}.column")

    def _core(self, block: int) -> NDArray[np.int64]:
        return self._work.core(block_at(self._work.plan, block))

    def _enter(self, record: Compared) -> None:
        self._order.append(record.block)
        self._starts.append(self._objects.base(record.block))

    def _clear(self) -> None:
        if len(self._shelf.dropped) >= self._cleared_together:
            self._work.log.sync()
            self._shelf.clear()

    def _shown(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the provisional ids in chunks for those that the joiner counts with."""
        if not len(numbers):
            return numbers
        starts = np.frombuffer(self._starts, np.int64)
        places = np.searchsorted(starts, numbers, side="left") - 1
        blocks = np.frombuffer(self._order, np.int64)[places]
        return self._work.shown(blocks, numbers - starts[places])
