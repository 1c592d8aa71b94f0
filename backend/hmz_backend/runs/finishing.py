"""Making chunks final: blends as soon as their neighbours are there, labels when all blocks are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hmz_backend.runs.job import Job
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.receipt import OutputReceipt
from napari_hmz.schema import OutputResult

AT_ONCE = 16  # chunks that are settled together, and journalled together


@dataclass(frozen=True, slots=True)
class Finisher:
    """Makes the chunks of one run final."""

    job: Job
    journal: Journal

    async def after(self, done: Sequence[int]) -> None:
        """Settle every chunk that needed one of these blocks, and now has all that it needs."""
        for name, work in self.job.works.items():
            if not work.joins and not self.journal.marks[name].final.all():
                touched = {n for number in done for n in work.needs(self.job.block(number))}
                await self._settle(
                    name, [n for n in sorted({*done, *touched}) if self._can(name, n)]
                )

    async def finish(self) -> tuple[OutputResult, ...]:
        """Settle all that is left, and say what became of each output."""
        objects: dict[str, int] = {}
        for name in self.job.works:
            left = [n for n in range(self.job.brief.plan.blocks) if self._can(name, n)]
            await self._settle(name, left)
        digests = await self.journal.output_digests()
        return tuple(
            OutputResult(name=name, objects=objects.get(name), digest=digests[name])
            for name in self.job.works
        )

    def _can(self, name: str, number: int) -> bool:
        marks = self.journal.marks[name]
        if marks.final[number] or not marks.computed[number]:
            return False
        needs = self.job.works[name].needs(self.job.block(number))
        return all(marks.computed[need] for need in needs)

    async def _settle(self, name: str, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), AT_ONCE):
            batch = numbers[start : start + AT_ONCE]
            parts = await asyncio.gather(*(self._settle_one(name, number) for number in batch))
            await self.journal.settled(zip([name] * len(batch), batch, parts, strict=True))
            await self.job.in_thread(self._release, name, batch)

    async def _settle_one(self, name: str, number: int) -> OutputReceipt:
        return await self.job.in_thread(self.job.works[name].settle, self.job.block(number))

    def _release(self, name: str, numbers: Sequence[int]) -> None:
        """Delete what was kept of blocks that nobody needs any more."""
        final, work = self.journal.marks[name].final, self.job.works[name]
        for number in {n for m in numbers for n in (m, *work.needs(self.job.block(m)))}:
            if all(final[n] for n in (number, *work.needs(self.job.block(number)))):
                work.release(self.job.block(number))
