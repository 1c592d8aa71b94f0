"""Outputs whose tiles are cropped: a block's chunk is final as soon as it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hmz_backend.engines.protocol import Part
from hmz_backend.planning import Block, chunk_key
from hmz_backend.runs.log import MakeEvent
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.output_work import chunk_told
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.results import check_result
from hmz_backend.stitching.cropping import arrange, crop, is_cropped, result_region
from napari_hmz.schema import OutputSpec, Plan


@dataclass(frozen=True, slots=True)
class CropWork:
    """Crops tiles to blocks; an `OutputWork`.

    Parameters
    ----------
    plan, spec
        The run's blocks, and the model's output.
    file
        Where chunks go.
    """

    plan: Plan
    spec: OutputSpec
    file: OutputFile
    joins: bool = False

    def key(self, block: Block) -> str:
        """Return the key of a block's chunk."""
        return chunk_key(self.plan, self.file.spec, block)

    def told(self, block: Block, receipt: OutputReceipt) -> MakeEvent:
        """Return what tells that a block's chunk can be fetched."""
        return chunk_told(self.plan, self.file, block, receipt)

    def used(self, block: Block) -> Part:
        """Return which part of a tile's result is the block's own."""
        return {
            axis: (core[0] - start, core[1] - start, stop - start)
            for axis, (start, stop) in result_region(self.spec, block).items()
            for core in [block.core[axis]]
        }

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Write the final chunk, from a whole result or only the part that is used."""
        core = result
        if not is_cropped(result, self.spec, block):
            check_result(result, self.spec, block)
            core = crop(result, self.spec, block)
        array = arrange(core, self.spec.axes, self.file.spec.axes)
        return OutputReceipt(digest=self.file.write(self.key(block), array), final=True)

    def skip(self, block: Block, zeros: NDArray[Any]) -> OutputReceipt:  # noqa: ARG002 # zeros are not stored
        """Leave no chunk."""
        digest = self.file.write_nothing(self.key(block))
        return OutputReceipt(digest=digest, final=True)

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the chunk is still what was written."""
        return self.file.holds(self.key(block), receipt.digest)

    def needs(self, block: Block) -> Sequence[int]:  # noqa: ARG002 # a chunk needs its own tile only
        """Return no other blocks."""
        return ()
