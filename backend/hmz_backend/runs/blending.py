"""Outputs whose tiles are blended: a block's chunk is final once all tiles that reach it are there.

```
work/{name}/{block}.tile   the tile's whole result, until the block and all neighbours are final
```

A tile's file is one line of JSON (dtype and shape, filled up with spaces) and the bare voxels. Not
.npy: its header is read as a Python literal, which CPython 3.11 cannot do in many threads at once
(`SystemError: AST constructor recursion depth mismatch`).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import Block, block_at, chunk_key, neighbours
from hmz_backend.runs.log import MakeEvent
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.output_work import chunk_told
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.results import check_result
from hmz_backend.stitching.blending import Blend, Contribution, blend, reach
from hmz_backend.stitching.cropping import arrange, cut_region, result_region
from hmz_backend.stores.atomic import write_whole
from napari_hmz.schema import OutputSpec, Plan, Region, extents, intersection

_HEAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class BlendWork:
    """Blends overlapping tiles; a `KeptWork`.

    Parameters
    ----------
    plan, spec
        The run's blocks, and the model's output.
    file
        Where chunks go.
    folder
        Where results are kept for their neighbours.
    """

    plan: Plan
    spec: OutputSpec
    file: OutputFile
    folder: Path
    joins: bool = False

    def key(self, block: Block) -> str:
        """Return the key of a block's chunk."""
        return chunk_key(self.plan, self.file.spec, block)

    def told(self, block: Block, receipt: OutputReceipt) -> MakeEvent:
        """Return what tells that a block's chunk can be fetched."""
        return chunk_told(self.plan, self.file, block, receipt)

    def take(self, block: Block, result: NDArray[Any]) -> OutputReceipt:
        """Keep the tile's result."""
        check_result(result, self.spec, block)
        stored = _packed(result)
        write_whole(self._path(block), stored)
        return OutputReceipt(digest=_digest(stored), final=False, shown=False)

    def skip(self, block: Block, zeros: NDArray[Any]) -> OutputReceipt:
        """Keep the zeros: neighbours blend with them."""
        return self.take(block, zeros)

    def intact(self, block: Block, receipt: OutputReceipt) -> bool:
        """Return whether the chunk, or the result if there is no chunk yet, can be used."""
        if receipt.final:
            return self.file.holds(self.key(block), receipt.digest)
        try:
            return _digest(self._path(block).read_bytes()) == receipt.digest
        except OSError:
            return False

    def needs(self, block: Block) -> Sequence[int]:
        """Return the blocks whose tiles reach into this one."""
        return neighbours(self.plan, block.index)

    def settle(self, block: Block) -> OutputReceipt:
        """Write the final chunk; all blocks that it needs are computed."""
        core = self._own(block.core)
        parts = [
            self._part(block_at(self.plan, n), core) for n in (block.index, *self.needs(block))
        ]
        how = Blend(self.spec.axes, self.plan.halo, self.spec.stitch.weight)
        mean = blend([part for part in parts if part is not None], core, how)
        array = arrange(mean, self.spec.axes, self.file.spec.axes)
        return OutputReceipt(digest=self.file.write(self.key(block), array), final=True)

    def release(self, block: Block) -> None:
        """Delete the tile's result."""
        self._path(block).unlink(missing_ok=True)

    def _part(self, block: Block, core: Region) -> Contribution | None:
        """Return what a block's tile says about the block with this core; none if nothing."""
        covered = result_region(self.spec, block)
        spoken = reach(self._own(block.core), self.plan.block, self.plan.halo, self.spec.margin_px)
        region = intersection(intersection(covered, spoken), core)
        if 0 in extents(region).values():
            return None
        whole = _mapped(self._path(block))
        array = np.array(cut_region(whole, self.spec.axes, covered, region))
        return Contribution(spoken, region, array)

    def _own(self, region: Region) -> Region:
        """Return the axes of a region that the model's output has."""
        return {axis: region[axis] for axis in self.spec.axes if axis != "c"}

    def _path(self, block: Block) -> Path:
        return self.folder / f"{block.index}.tile"


def _packed(result: NDArray[Any]) -> bytes:
    head = json.dumps({"dtype": result.dtype.str, "shape": result.shape}).encode()
    return head.ljust(_HEAD_BYTES - 1) + b"\n" + np.ascontiguousarray(result).tobytes()


def _mapped(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        head = json.loads(file.read(_HEAD_BYTES))
    shape = tuple(head["shape"])
    return np.memmap(path, np.dtype(head["dtype"]), "r", offset=_HEAD_BYTES, shape=shape)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
