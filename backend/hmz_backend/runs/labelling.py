"""Instance labels of one block: provisional ids at once, final ids when all blocks are known.

```
work/{name}/{block}.npz    the tile's labels as runs, until the run ends
```

A provisional id is unique in the run and needs no word from other blocks: each block has a range of
ids of its own. Only where a block has more objects than its range holds may two of them look alike.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import Block, chunk_key
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.results import check_result
from hmz_backend.stitching import bands
from hmz_backend.stitching.cropping import arrange
from hmz_backend.stitching.localising import Whole, localise
from hmz_backend.stores.atomic import write_whole
from napari_hmz.schema import OutputSpec, Plan, Region

IDS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class LabelWork:
    """Numbers the objects of blocks; an `OutputWork`.

    Parameters
    ----------
    plan, spec
        The run's blocks, and the model's output.
    context
        What tiles may read: labels beyond it are padding's.
    file
        Where chunks go.
    folder
        Where the labels of tiles are kept.
    """

    plan: Plan
    spec: OutputSpec
    context: Region
    file: OutputFile
    folder: Path
    joins: bool = True

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Keep the tile's labels, and write a chunk of provisional ids."""
        check_result(result, self.spec, block)
        whole = Whole(self.plan.region, self.context, self.file.spec)
        local = localise(result, self.spec, block, whole)
        body = io.BytesIO()
        bands.save(body, local.tile)
        write_whole(self.path(block.index), body.getvalue())
        table = np.zeros(local.count + 1, np.uint32)
        table[1:] = self.shown(block.index, np.arange(1, local.count + 1))
        digest = self.file.write(self._key(block), table[local.core])
        return OutputReceipt(digest=digest, objects=local.count, final=False)

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the tile's labels, and the chunk if it is final, can be used."""
        try:
            self.tile(block.index)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return False
        return not receipt.final or self.file.holds(self._key(block), receipt.digest)

    def needs(self, block: Block) -> Sequence[int]:  # noqa: ARG002 # joining asks for all blocks
        """Return no other blocks: joining is a step of its own."""
        return ()

    def settle(self, block: Block) -> OutputReceipt:
        """Never called: ids come from joining."""
        raise NotImplementedError(f"block {block.index} is joined, not settled")

    def release(self, block: Block) -> None:
        """Do nothing: labels are kept until the run ends, for a restart while joining."""

    def core(self, block: Block) -> NDArray[Any]:
        """Return the block's labels in local ids, with the axes of the output."""
        tile = self.tile(block.index)
        return arrange(tile.within(block.core), tile.axes, self.file.spec.axes)

    def relabel(self, block: Block, table: NDArray[Any]) -> OutputReceipt:
        """Write the final chunk: `table` gives the final id of each local one."""
        digest = self.file.write(self._key(block), table[self.core(block)])
        return OutputReceipt(digest=digest, objects=len(table) - 1, final=True)

    def shown(self, block: int | NDArray[np.int64], local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the provisional ids of a block's local ones (1 and up)."""
        stride = max(1, IDS // self.plan.blocks)
        return (block * stride + local - 1) % IDS + 1

    def tile(self, block: int) -> bands.TileLabels:
        """Return the labels of a block's tile."""
        return bands.load(io.BytesIO(self.path(block).read_bytes()))

    def path(self, block: int) -> Path:
        """Return where the labels of a block's tile are kept."""
        return self.folder / f"{block}.npz"

    def _key(self, block: Block) -> str:
        return chunk_key(self.plan, self.file.spec, block)
