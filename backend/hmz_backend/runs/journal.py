"""The journal of one run: which blocks are finished, in the database before anyone hears of it.

What a block wrote is journalled together with the events that tell of it. After a restart the
journal says what is left; files that are not what it says (a loss of power) are made again.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from hmz_backend.database.access import Database
from hmz_backend.database.writer import Operation
from hmz_backend.runs import records
from hmz_backend.runs.job import Job
from hmz_backend.runs.log import MakeEvent, RunLog
from hmz_backend.runs.receipt import OutputReceipt, Receipt
from hmz_backend.usage.amount import Amount
from napari_hmz.schema import LabelsMerged, Progress, Progressed

PAGE = 10_000  # rows that are in memory at a time: about 3 MB
SHA256_HEX = "S64"
Use = Callable[[Amount], Operation]


def for_nothing(_used: Amount) -> Operation:
    """Return what writes nothing."""
    return lambda _: None


@dataclass
class Marks:
    """What is known of every block in one output: bounded at a few bytes per block.

    Parameters
    ----------
    computed, final
        One flag per block.
    objects
        How many objects its core has.
    """

    computed: NDArray[np.bool_]
    final: NDArray[np.bool_]
    objects: NDArray[np.int64]

    @classmethod
    def empty(cls, blocks: int) -> "Marks":
        """Return the marks of a run that has not begun."""
        return cls(np.zeros(blocks, bool), np.zeros(blocks, bool), np.zeros(blocks, np.int64))


@dataclass
class Journal:
    """Keeps what is finished of one run.

    Parameters
    ----------
    job
        The run's blocks and outputs.
    log
        Its events.
    use
        Makes what writes down what was used.
    """

    job: Job
    log: RunLog
    use: Use = for_nothing
    marks: dict[str, Marks] = field(init=False)
    voxels_done: int = 0
    _pending: NDArray[np.bool_] = field(init=False)
    _left: int = field(init=False)
    """How many blocks are pending: asked for at every turn of the driver."""

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        blocks = self.job.brief.plan.blocks
        self.marks = {name: Marks.empty(blocks) for name in self.job.works}
        self._pending, self._left = np.ones(blocks, bool), blocks

    async def load(self) -> None:
        """Take up what an earlier driver has left; forget blocks whose files are gone."""
        broken = set[int]()
        async for page in self._pages():
            broken |= await self.job.in_thread(self._restore, page)
        if lost := await self.job.in_thread(self._forget, broken):
            await self.database.write(partial(records.drop_blocks, run=self.run, blocks=lost))

    @property
    def run(self) -> str:
        """The run's id."""
        return self.log.run

    @property
    def database(self) -> Database:
        """Where the journal is kept."""
        return self.log.database

    @property
    def blocks_done(self) -> int:
        """How many blocks are computed in all outputs."""
        return self.job.brief.plan.blocks - self._left

    @property
    def is_computed(self) -> bool:
        """Whether all blocks are."""
        return not self._left

    def pending(self) -> NDArray[np.bool_]:
        """Return one flag per block, the caller's own: not computed in all outputs."""
        return self._pending.copy()

    async def computed(self, receipts: Sequence[Receipt]) -> None:
        """Keep what blocks have written, and tell of the chunks that can be shown."""
        events: list[MakeEvent] = []
        rows: list[tuple[str, int, OutputReceipt]] = []
        for receipt in receipts:
            block = self.job.block(receipt.block)
            self.voxels_done += self.job.voxels(receipt.block)
            for name, part in receipt.outputs.items():
                if self.marks[name].final[receipt.block] and (part.final or not part.shown):
                    self._mark_computed(name, receipt.block)
                    continue  # computed again only for its neighbours' sake; its chunk is final
                self._mark(name, receipt.block, part)
                rows.append((name, receipt.block, part))
                if part.shown:
                    events.append(self.job.works[name].told(block, part))
        put, used = partial(self._put, rows=rows), self._used(receipts)
        await self.log.append(events, put, *([self.use(used)] if used.tiles else []))

    async def settled(self, name: str, parts: Mapping[int, OutputReceipt]) -> None:
        """Keep final chunks of an output, and tell of them."""
        work = self.job.works[name]
        events = [work.told(self.job.block(block), part) for block, part in parts.items()]
        rows = [(name, block, part) for block, part in parts.items()]
        await self.log.append(events, partial(self._put, rows=rows))
        for block, part in parts.items():
            self._mark(name, block, part)

    def computed_blocks(self) -> list[int]:
        """Return the blocks that are computed in all outputs."""
        return [int(block) for block in np.flatnonzero(~self._pending)]

    def unfinal_blocks(self, name: str) -> list[int]:
        """Return the blocks whose chunk in an output is not final."""
        return [int(block) for block in np.flatnonzero(~self.marks[name].final)]

    async def tell_merges(self, name: str, pairs: Sequence[tuple[int, int]]) -> None:
        """Tell which provisional ids turned out to be one object."""
        if pairs:
            await self.log.append(
                [lambda number: LabelsMerged(number=number, output=name, pairs=tuple(pairs))]
            )

    async def tell_progress(self, progress: Progress) -> None:
        """Tell how far the run is."""
        await self.log.append([lambda number: Progressed(number=number, progress=progress)])

    async def output_digests(self) -> Mapping[str, str]:
        """Return, per output, the SHA-256 over `key digest` lines of its stored chunks, by key."""
        blocks = self.job.brief.plan.blocks
        found = {name: np.zeros(blocks, SHA256_HEX) for name in self.job.works}
        async for page in self._pages():
            for name, block, digest, _objects, _final in page:
                found[name][block] = digest
        return {n: await self.job.in_thread(self._digest, n, each) for n, each in found.items()}

    async def _pages(self) -> AsyncIterator[Sequence[records.KeptBlock]]:
        """Yield what is kept of the blocks, so many at a time: a large run has millions."""
        last = ("", -1)
        while page := await self.database.read(
            partial(records.block_rows, run=self.run, after=last, limit=PAGE)
        ):
            yield page
            last = page[-1][:2]

    def _digest(self, name: str, digests: NDArray[np.bytes_]) -> str:
        """Return the digest of an output from those of its blocks, empty where none is stored."""
        work, found = self.job.works[name], hashlib.sha256()
        stored = map(int, np.flatnonzero(digests))
        for key, number in sorted((work.key(self.job.block(n)), n) for n in stored):
            found.update(f"{key} {digests[number].decode()}\n".encode())
        return found.hexdigest()

    def _restore(self, rows: Sequence[records.KeptBlock]) -> set[int]:
        """Mark blocks whose files are as the journal says; return those to be done again."""
        broken = set[int]()
        for name, number, digest, objects, final in rows:
            part = OutputReceipt(digest=digest, objects=objects, final=final)
            block = self.job.block(number)
            if self.job.works[name].intact(block, part):
                self._mark(name, number, part)
            else:
                broken.update([number, *self.job.works[name].needs(block)])
        return broken

    def _forget(self, broken: Set[int]) -> list[int]:
        """Count blocks as pending; return those of which nothing that is kept is of use."""
        for number in broken:
            self._mark_pending(number)
        self.voxels_done = sum(map(self.job.voxels, self.computed_blocks()))
        return [b for b in broken if not all(m.final[b] for m in self.marks.values())]

    def _used(self, receipts: Sequence[Receipt]) -> Amount:
        """Return what blocks took: each counts when it is journalled, so once, come what may."""
        return Amount(
            tiles=len(receipts),
            voxels=sum(self.job.voxels(receipt.block) for receipt in receipts),
            engine_us=sum(receipt.engine_us for receipt in receipts),
        )

    def _mark(self, name: str, block: int, part: OutputReceipt) -> None:
        marks = self.marks[name]
        marks.final[block] = part.final
        marks.objects[block] = part.objects
        self._mark_computed(name, block)

    def _mark_computed(self, name: str, block: int) -> None:
        self.marks[name].computed[block] = True
        if self._pending[block] and all(marks.computed[block] for marks in self.marks.values()):
            self._pending[block] = False
            self._left -= 1

    def _mark_pending(self, block: int) -> None:
        for marks in self.marks.values():
            marks.computed[block] = False
        self._left += int(not self._pending[block])
        self._pending[block] = True

    def _put(
        self, connection: Connection, *, rows: Sequence[tuple[str, int, OutputReceipt]]
    ) -> None:
        records.put_blocks(
            connection,
            [
                {
                    "run": self.run,
                    "output": name,
                    "block": block,
                    "digest": part.digest,
                    "objects": part.objects,
                    "final": part.final,
                }
                for name, block, part in rows
            ],
        )
