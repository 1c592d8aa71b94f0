"""Making chunks final: blends as soon as their neighbours are there, labels when all blocks are."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmz_backend.runs.blending import BlendWork
from hmz_backend.runs.job import Job
from hmz_backend.runs.joining import Joining
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.output_work import KeptWork
from hmz_backend.runs.receipt import OutputReceipt
from hmz_backend.runs.row_work import RowWork
from hmz_backend.stitching.objects import FinalIds
from napari_hmz.schema import OutputResult

JOINED_TOGETHER = 1024  # blocks, when a run is taken up: a cancelled one does not wait for all
AT_ONCE = 16  # chunks that are made final together, and journalled together
NOTHING_AT_ONCE = 512  # chunks of labels without an object: there is no file to write
Settle = Callable[[int], OutputReceipt]


@dataclass
class Finisher:
    """Makes the chunks of one run final. Runs on the event loop of the driver only."""

    job: Job
    journal: Journal
    joinings: Mapping[str, Joining] = field(init=False)
    blends: Mapping[str, BlendWork] = field(init=False)
    tables: Mapping[str, RowWork] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the joining of each output of labels, and find what is blended and the tables."""
        works = self.job.works.items()
        self.blends = {n: work for n, work in works if isinstance(work, BlendWork)}
        self.joinings = {n: Joining(work) for n, work in works if isinstance(work, LabelWork)}
        self.tables = {n: work for n, work in works if isinstance(work, RowWork)}

    async def start(self) -> None:
        """Take up what an earlier driver has left: labels of blocks that are computed already."""
        done = self.journal.computed_blocks()
        for name, joining in self.joinings.items():
            await self.job.in_thread(joining.restore, self.journal.pending())
            for start in range(0, len(done), JOINED_TOGETHER):
                batch = done[start : start + JOINED_TOGETHER]
                pairs = await self.job.in_thread(joining.add, batch)
                await self.journal.tell_merges(name, pairs)

    async def after(self, done: Sequence[int]) -> None:
        """Join, or settle, what these blocks make possible."""
        for name, joining in self.joinings.items():
            pairs = await self.job.in_thread(joining.add, done)
            await self.journal.tell_merges(name, pairs)
        for name, work in self.blends.items():
            touched = {n for number in done for n in work.needs(self.job.block(number))}
            await self._settle_all(name, work, sorted({*done, *touched}))

    async def finish(self) -> tuple[OutputResult, ...]:
        """Make all that is left final, and say what became of each output."""
        objects: dict[str, int] = {}
        for name in self.joinings:
            objects[name] = await self._join(name)
        for name, work in self.blends.items():
            await self._settle_all(name, work, range(self.job.brief.plan.blocks))
        for name, table in self.tables.items():
            filled = np.flatnonzero(self.journal.marks[name].objects)
            objects[name] = await self.job.in_thread(table.gather, filled)
        digests = await self.journal.output_digests()
        return tuple(
            OutputResult(name=name, objects=objects.get(name), digest=digests[name])
            for name in self.job.works
        )

    async def _join(self, name: str) -> int:
        planes = self.job.brief.join_planes
        joining, work = self.joinings[name], self.job.works[name]
        assert isinstance(work, LabelWork)  # noqa: S101 # as `joinings` was made
        ids = await self.job.in_thread(joining.finish, planes=planes)
        left, objects = self.journal.unfinal_blocks(name), self.journal.marks[name].objects
        nothing = [number for number in left if not objects[number]]
        await self._make_final(name, work, nothing, self._relabelling(work, ids), NOTHING_AT_ONCE)
        something = [number for number in left if objects[number]]
        await self._make_final(name, work, something, self._relabelling(work, ids))
        return ids.count

    def _relabelling(self, work: LabelWork, ids: FinalIds) -> Settle:
        return lambda number: work.relabel(self.job.block(number), ids.table(number))

    async def _settle_all(self, name: str, work: BlendWork, numbers: Sequence[int]) -> None:
        able = [number for number in numbers if self._can(name, number)]
        await self._make_final(name, work, able, lambda number: work.settle(self.job.block(number)))

    def _can(self, name: str, number: int) -> bool:
        marks = self.journal.marks[name]
        if marks.final[number] or not marks.computed[number]:
            return False
        needs = self.job.works[name].needs(self.job.block(number))
        return all(marks.computed[need] for need in needs)

    async def _make_final(
        self,
        name: str,
        work: KeptWork,
        numbers: Sequence[int],
        settle: Settle,
        at_once: int = AT_ONCE,
    ) -> None:
        for start in range(0, len(numbers), at_once):
            batch = numbers[start : start + at_once]
            parts = await asyncio.gather(*(self.job.in_thread(settle, number) for number in batch))
            await self.journal.settled(name, dict(zip(batch, parts, strict=True)))
            await self.job.in_thread(self._release, name, work, batch)

    def _release(self, name: str, work: KeptWork, numbers: Sequence[int]) -> None:
        """Delete what was kept of blocks that nobody needs any more."""
        final = self.journal.marks[name].final
        touched = {n for m in numbers for n in (m, *work.needs(self.job.block(m)))}
        for number in touched:
            block = self.job.block(number)
            if final[number] and all(final[n] for n in work.needs(block)):
                work.release(block)
