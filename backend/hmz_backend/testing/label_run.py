"""A run over labels without a server: blocks in any order, lives that end anywhere.

What is in the folder outlives a life; `journal` is what the database would say.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import block_at, output_region, read_tile
from hmz_backend.runs.join_log import JoinLog
from hmz_backend.runs.joining import Joining
from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.testing.planned import a_model, a_plan, an_image, labels_output
from napari_hmz.schema import AxisName, Plan, slices

Array = NDArray[Any]


@dataclass
class LabelRun:
    """One run over labels.

    Parameters
    ----------
    folder
        Where files go.
    image, axes
        What is labelled.
    label
        The model: a tile in, labels out.
    model
        The axes of the model's tiles.
    rule, threshold
        How labels are joined.
    request
        Of the plan: block, halo, region.
    cleared_together
        How many files of tiles are deleted at once.
    """

    folder: Path
    image: Array
    axes: Sequence[AxisName]
    label: Callable[[Array], Array]
    model: Sequence[AxisName]
    rule: str = "overlap"
    threshold: float = 0.5
    request: dict[str, Any] = field(default_factory=dict)
    cleared_together: int = 1
    plan: Plan = field(init=False)
    journal: dict[int, OutputReceipt] = field(default_factory=dict)
    work: LabelWork = field(init=False)
    joining: Joining = field(init=False)

    def __post_init__(self) -> None:
        """Begin the first life."""
        outputs = [labels_output(self.model, self.rule, self.threshold)]
        self._card = a_model(self.model, outputs=outputs)
        shape = dict(zip(self.axes, self.image.shape, strict=True))
        self._volume = an_image(shape, dtype=self.image.dtype.name)
        self.plan = a_plan(self._card, self._volume, **self.request)
        self.begin()

    @property
    def left(self) -> list[int]:
        """The blocks that are still to be computed."""
        return [number for number in range(self.plan.blocks) if number not in self.journal]

    def begin(self) -> None:
        """Begin a life: what the journal says is compared with the files, and taken up."""
        file = OutputFile(self.plan.outputs[0], self.folder / "output")
        log = JoinLog(self.folder / "work" / "joins.log")
        spec, context = self._card.outputs[0], self.plan.context
        self.work = LabelWork(self.plan, spec, context, file, self.folder / "work", log)
        for number, receipt in list(self.journal.items()):
            if not self.work.intact(block_at(self.plan, number), receipt):
                del self.journal[number]
        self.joining = Joining(self.work, cleared_together=self.cleared_together)
        self.joining.restore(~np.isin(np.arange(self.plan.blocks), list(self.journal)))
        self.joining.add(sorted(self.journal))

    def compute(self, number: int) -> None:
        """Compute a block, and journal it."""
        block = block_at(self.plan, number)
        tile = read_tile(
            lambda region: self.image[slices(region, self.axes)],
            self.plan,
            self._volume,
            self._card.inputs[0],
            block,
        )
        self.journal[number] = self.work.take(block, self.label(tile))

    def relabel(self, numbers: Iterable[int], *, journalled: bool = True) -> int:
        """Make chunks final; return how many objects there are."""
        ids = self.joining.finish(planes=False)
        for number in numbers:
            block = block_at(self.plan, number)
            receipt = self.work.relabel(block, ids.table(number))
            if journalled:
                self.journal[number] = receipt
                self.work.release(block)
        return ids.count

    def output(self) -> Array:
        """Read the output as it lies there; all that is stored is as the journal says."""
        spec = self.plan.outputs[0]
        whole = np.zeros([spec.shape[axis] for axis in spec.axes], spec.dtype)
        for number, receipt in self.journal.items():
            block = block_at(self.plan, number)
            region, key = output_region(self.plan, spec, block), self.work.key(block)
            assert self.work.file.holds(key, receipt.digest)
            whole[slices(region, spec.axes)] = self.work.file.read(key, region)
        return whole

    def stored(self) -> dict[str, str]:
        """Return the digest of every stored chunk."""
        root = self.folder / "output"
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
