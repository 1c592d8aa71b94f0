"""What a block task does with one output of the model, and what is left to do when blocks are done.

One implementation per way of stitching: crop (a block's chunk is final at once), blend (final once
all neighbours are there), labels (final once all blocks are there), rows (final at once).
"""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from hmz_backend.planning import Block, chunk_key, output_region
from hmz_backend.runs.log import MakeEvent
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.receipt import OutputReceipt
from napari_hmz.schema import ChunkDone, Plan


class OutputWork(Protocol):
    """The work on one output of one run. Threads: all methods run in worker threads."""

    @property
    def joins(self) -> bool:
        """Whether chunks become final only after all blocks are computed."""

    def key(self, block: Block) -> str:
        """Return where below the output lies what a block writes."""

    def told(self, block: Block, receipt: OutputReceipt) -> MakeEvent:
        """Return what tells that it can be fetched."""

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Write what is to be kept of a tile's result (in the axes of the model's output)."""

    def skip(self, block: Block, zeros: NDArray[Any]) -> OutputReceipt:
        """Do as `take` does with a result of zeros alone, at less cost."""

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the files are still what the receipt says."""

    def needs(self, block: Block) -> Sequence[int]:
        """Return the other blocks that must be computed before this one's chunk can be final."""


class KeptWork(OutputWork, Protocol):
    """The work on an output whose chunks are final later: something is kept until then."""

    def release(self, block: Block) -> None:
        """Delete what was kept of a block that is final, and that nobody needs any more."""


def chunk_told(plan: Plan, file: OutputFile, block: Block, receipt: OutputReceipt) -> MakeEvent:
    """Return what tells that a block's chunk of an array can be fetched."""
    name, key = file.spec.name, chunk_key(plan, file.spec, block)
    region, final, digest = output_region(plan, file.spec, block), receipt.final, receipt.digest
    return lambda number: ChunkDone(
        number=number, output=name, key=key, region=region, final=final, digest=digest
    )
