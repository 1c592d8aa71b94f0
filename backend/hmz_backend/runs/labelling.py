"""Instance labels of one block: provisional ids at once, final ids when all blocks are known.

```
outputs/{name}/c/…         the chunk: provisional ids, and in the end the final ones
work/{name}/{block}.band   what neighbours see of the tile too, until they have been compared
work/{name}/{block}.final  the digest of the final chunk, while it takes the place of the first
```

A provisional id is unique in the run and needs no word from other blocks: each block has a range of
ids of its own. So the chunk itself says what the block's local ids are. Only where a block has more
objects than its range holds may two blocks' ids look alike.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import Block, block_at, chunk_key, neighbours, output_region
from hmz_backend.planning.blocks import block_index
from hmz_backend.runs.join_log import JoinLog
from hmz_backend.runs.log import MakeEvent
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.output_work import chunk_told
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.results import check_result
from hmz_backend.stitching import bands
from hmz_backend.stitching.cropping import result_region
from hmz_backend.stitching.flatruns import FlatRuns, decode, encode
from hmz_backend.stitching.localising import Whole, localise, without_labels
from hmz_backend.stores.atomic import write_whole
from napari_hmz.schema import AxisName, Interval, OutputSpec, Plan, Region


@dataclass(frozen=True, slots=True)
class LabelWork:
    """Numbers the objects of blocks; a `KeptWork`.

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
    log
        Which blocks have been compared with their neighbours.
    """

    plan: Plan
    spec: OutputSpec
    context: Region
    file: OutputFile
    folder: Path
    log: JoinLog
    joins: bool = True

    @property
    def ids(self) -> int:
        """How many ids the output's data type holds (and int64, in which they are reckoned)."""
        return min(int(np.iinfo(self.file.spec.dtype).max), 2**63 - 1)

    def key(self, block: Block) -> str:
        """Return the key of a block's chunk."""
        return chunk_key(self.plan, self.file.spec, block)

    def told(self, block: Block, receipt: OutputReceipt) -> MakeEvent:
        """Return what tells that a block's chunk can be fetched."""
        return chunk_told(self.plan, self.file, block, receipt)

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Keep what joining needs of the tile, and write a chunk of provisional ids."""
        check_result(result, self.spec, block)
        whole = Whole(self.plan.region, self.context, self.file.spec)
        local = localise(result, self.spec, block, whole, beside(self.plan, self.spec, block))
        write_whole(self._band(block.index), bands.to_bytes(local.tile))
        table = self._table(self.shown(block.index, np.arange(1, local.count + 1)))
        digest = self.file.write(self.key(block), table[local.core])
        return OutputReceipt(digest=digest, objects=local.count, final=False)

    def skip(self, block: Block, zeros: NDArray[Any]) -> OutputReceipt:  # noqa: ARG002 # no labels
        """Keep that there are no labels, and leave no chunk."""
        whole = Whole(self.plan.region, self.context, self.file.spec)
        tile = without_labels(self.spec, block, whole)
        write_whole(self._band(block.index), bands.to_bytes(tile))
        digest = self.file.write_nothing(self.key(block))
        return OutputReceipt(digest=digest, final=False)

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the chunk, and what joining still needs, can be used."""
        is_chunk = self.file.holds(self.key(block), receipt.digest)
        if not is_chunk and (receipt.final or not self._final_digest(block)):
            return False
        return self._is_compared(block.index) or self._has_band(block.index)

    def needs(self, block: Block) -> Sequence[int]:  # noqa: ARG002 # joining asks for all blocks
        """Return no other blocks: joining is a step of its own."""
        return ()

    def release(self, block: Block) -> None:
        """Forget the word on a final chunk, now that the journal has it."""
        self._final(block.index).unlink(missing_ok=True)

    def core(self, block: Block) -> NDArray[np.int64]:
        """Return the block's labels in local ids (int64), with the axes of the output."""
        region = output_region(self.plan, self.file.spec, block)
        chunk = self.file.read(self.key(block), region)
        runs = encode(chunk)
        return decode(FlatRuns(runs.ends, self._local(block.index, runs.values)), chunk.shape)

    def relabel(self, block: Block, table: NDArray[Any]) -> OutputReceipt:
        """Write the final chunk: `table` gives the final id of each local one.

        The digest is written first: a chunk that is found later is then known to be the final
        one, and not taken for provisional.
        """
        objects = len(table) - 1
        if not objects:
            return OutputReceipt(digest="", final=True)  # nothing was written
        if digest := self._final_digest(block):
            return OutputReceipt(digest=digest, objects=objects, final=True)
        key = self.key(block)
        chunk = self.file.read(key, output_region(self.plan, self.file.spec, block))
        runs = encode(chunk)
        final = self._table(table[1:])[self._local(block.index, runs.values)]
        body = self.file.encode(decode(FlatRuns(runs.ends, final), chunk.shape))
        digest = hashlib.sha256(body).hexdigest()
        write_whole(self._final(block.index), digest.encode())
        write_whole(self.file.folder / key, body)
        return OutputReceipt(digest=digest, objects=objects, final=True)

    def shown(self, block: int | NDArray[np.int64], local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the provisional ids of a block's local ones (1 and up)."""
        return (block * self._stride + local - 1) % self.ids + 1

    def tile(self, block: int) -> bands.TileLabels:
        """Return what neighbours see of a block's tile too."""
        return bands.from_bytes(self._band(block).read_bytes())

    def drop(self, block: int) -> None:
        """Delete what was kept of a tile for its neighbours' sake."""
        self._band(block).unlink(missing_ok=True)

    def _local(self, block: int, shown: NDArray[Any]) -> NDArray[np.int64]:
        """Return the local ids that provisional ones stand for; 0 is background."""
        own = (shown.astype(np.int64) - 1 - block * self._stride) % self.ids + 1
        return np.where(shown == 0, 0, own)

    @property
    def _stride(self) -> int:
        return max(1, self.ids // self.plan.blocks)

    def _table(self, ids: NDArray[Any]) -> NDArray[Any]:
        table = np.zeros(len(ids) + 1, self.file.spec.dtype)
        table[1:] = ids
        return table

    def _is_compared(self, block: int) -> bool:
        """Return whether nobody will ask for the block's tile again."""
        return all(map(self.log.holds, (block, *neighbours(self.plan, block))))

    def _has_band(self, block: int) -> bool:
        try:
            bands.check(self._band(block).read_bytes())
        except (OSError, bands.TornFile):
            return False
        return True

    def _final_digest(self, block: Block) -> str:
        """Return the digest of the chunk if it is known to be the final one."""
        try:
            digest = self._final(block.index).read_text()
        except FileNotFoundError:
            return ""
        return digest if digest and self.file.holds(self.key(block), digest) else ""

    def _band(self, block: int) -> Path:
        return self.folder / f"{block}.band"

    def _final(self, block: int) -> Path:
        return self.folder / f"{block}.final"


def beside(plan: Plan, spec: OutputSpec, block: Block) -> Mapping[AxisName, list[Interval]]:
    """Return what the results of the next blocks along each axis cover of that axis."""
    found: dict[AxisName, list[Interval]] = {}
    for axis in plan.tiled:
        places = (block.position[axis] - 1, block.position[axis] + 1)
        found[axis] = [
            result_region(spec, block_at(plan, index))[axis]
            for index in (
                block_index(plan, {**block.position, axis: place})
                for place in places
                if plan.halo[axis] and 0 <= place < plan.grid[axis]
            )
        ]
    return found
