"""Outputs of rows: those of a block are final at once, and all are one table at the end."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import Block
from hmz_backend.planning.roles import ordered
from hmz_backend.runs.log import MakeEvent
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.table_file import Rows, TableFile
from hmz_backend.stitching.rows import own_rows
from napari_hmz.errors import EngineFailed
from napari_hmz.places import raster_order
from napari_hmz.schema import Event, OutputSpec, Plan, RowsDone


@dataclass(frozen=True, slots=True)
class RowWork:
    """Keeps the rows whose places lie in their blocks; an `OutputWork`.

    Parameters
    ----------
    plan, spec
        The run's blocks, and the model's output.
    file
        Where rows go.
    run, source
        What the table says of where it comes from.
    """

    plan: Plan
    spec: OutputSpec
    file: TableFile
    run: str
    source: str
    joins: bool = False

    def key(self, block: Block) -> str:
        """Return where the rows of a block lie."""
        return _key(block.index)

    def told(self, block: Block, receipt: OutputReceipt) -> MakeEvent:
        """Return what tells that the rows of a block can be fetched."""

        def event(number: int) -> Event:
            return RowsDone(
                number=number,
                output=self.spec.name,
                key=self.key(block),
                rows=receipt.objects,
                digest=receipt.digest,
            )

        return event

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Write the rows that belong to the block."""
        width = len(self.spec.columns)
        if result.ndim != 2 or result.shape[1] != width:  # noqa: PLR2004 # row and column
            raise EngineFailed(
                f"Output {self.spec.name} has the extents {list(result.shape)}; "
                f"its rows have {width} columns."
            )
        try:
            seen = self.plan.context or self.plan.region
            rows = own_rows(result, self.spec, self.file.spec, block, seen)
        except ValueError as error:
            raise EngineFailed(f"Output {self.spec.name}: {error}.") from error
        digest = self.file.write(self.key(block), rows)
        return OutputReceipt(digest=digest, objects=len(rows), final=True, shown=len(rows) > 0)

    def skip(self, block: Block, zeros: NDArray[Any]) -> OutputReceipt:
        """Do as `take` does: where there are no rows, that costs nothing."""
        return self.take(block, zeros)

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the rows are still what was written."""
        return self.file.holds(self.key(block), receipt.digest)

    def needs(self, block: Block) -> Sequence[int]:  # noqa: ARG002 # rows need their own tile only
        """Return no other blocks."""
        return ()

    def gather(self, filled: NDArray[np.int64]) -> int:
        """Write the whole table from the blocks that have rows; return how many rows it has."""
        return self.file.write_all(self._slabs(filled), run=self.run, source=self.source)

    def _slabs(self, filled: NDArray[np.int64]) -> Iterator[Rows]:
        """Yield rows in raster order, sorting as few blocks together as can be.

        Blocks of one slab share their place along all axes down to the first tiled one.
        """
        axes = ordered(self.plan.grid)
        within = axes[1 + min(axes.index(axis) for axis in self.plan.tiled) :]
        size = prod(self.plan.grid[axis] for axis in within)
        for _, blocks in itertools.groupby(filled.tolist(), lambda number: number // size):
            rows = np.concatenate([self.file.read(_key(number)) for number in blocks])
            yield raster_order(self.file.spec, rows)


def _key(block: int) -> str:
    return f"rows/{block}"
