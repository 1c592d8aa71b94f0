"""The journal of one run: which blocks are finished, in the database before anyone hears of it.

What a block wrote is journalled together with the events that tell of it. After a restart the
journal says what is left; files that are not what it says (a loss of power) are made again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from hmz_backend.database.access import Database
from hmz_backend.planning import Block
from hmz_backend.runs import records
from hmz_backend.runs.job import Job
from hmz_backend.runs.log import MakeEvent, RunLog
from hmz_backend.runs.receipt import OutputReceipt, Receipt
from napari_hmz.schema import ChunkDone, Event, LabelsMerged, Progress, Progressed


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
    """

    job: Job
    log: RunLog
    marks: dict[str, Marks] = field(init=False)
    voxels_done: int = 0

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        blocks = self.job.brief.plan.blocks
        self.marks = {name: Marks.empty(blocks) for name in self.job.works}

    async def load(self) -> None:
        """Take up what an earlier driver has left; forget blocks whose files are gone."""
        rows = await self.database.read(lambda c: records.block_rows(c, self.run))
        broken = await self.job.in_thread(self._restore, rows)
        if broken:
            await self.database.write(partial(records.drop_blocks, run=self.run, blocks=broken))
        await self.computed(await self.job.in_thread(self._left_receipts))

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
        return int(np.count_nonzero(~self.pending()))

    @property
    def is_computed(self) -> bool:
        """Whether all blocks are."""
        return not self.pending().any()

    def pending(self) -> NDArray[np.bool_]:
        """Return one flag per block: not computed in all outputs."""
        done = np.ones(self.job.brief.plan.blocks, bool)
        for marks in self.marks.values():
            done &= marks.computed
        return ~done

    async def computed(self, receipts: Sequence[Receipt]) -> None:
        """Keep what blocks have written, and tell of the chunks that can be shown."""
        events: list[MakeEvent] = []
        rows: list[tuple[str, int, OutputReceipt]] = []
        for receipt in receipts:
            block = self.job.block(receipt.block)
            self.voxels_done += self.job.voxels(receipt.block)
            for name, part in receipt.outputs.items():
                if self.marks[name].final[receipt.block] and (part.final or not part.shown):
                    self.marks[name].computed[receipt.block] = True
                    continue  # computed again only for its neighbours' sake; its chunk is final
                self._mark(name, receipt.block, part)
                rows.append((name, receipt.block, part))
                if part.shown:
                    events.append(self._chunk_event(name, block, part))
        await self.log.append(events, lambda connection: self._put(connection, rows))
        await self.job.in_thread(self.job.drop_receipts, [r.block for r in receipts])

    async def settled(self, name: str, parts: Mapping[int, OutputReceipt]) -> None:
        """Keep final chunks of an output, and tell of them."""
        events = [
            self._chunk_event(name, self.job.block(block), part) for block, part in parts.items()
        ]
        rows = [(name, block, part) for block, part in parts.items()]
        await self.log.append(events, lambda connection: self._put(connection, rows))
        for block, part in parts.items():
            self._mark(name, block, part)

    def computed_blocks(self) -> list[int]:
        """Return the blocks that are computed in all outputs."""
        return [int(block) for block in np.flatnonzero(~self.pending())]

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
        rows = await self.database.read(lambda c: records.block_rows(c, self.run))
        return await self.job.in_thread(self._digests, rows)

    def _digests(self, rows: Sequence[tuple[str, int, str, int, bool]]) -> Mapping[str, str]:
        lines: dict[str, list[str]] = {name: [] for name in self.job.works}
        for name, block, digest, _objects, _final in rows:
            if digest:
                lines[name].append(f"{self.job.key(name, self.job.block(block))} {digest}\n")
        return {
            name: hashlib.sha256("".join(sorted(found)).encode()).hexdigest()
            for name, found in lines.items()
        }

    def _restore(self, rows: Sequence[tuple[str, int, str, int, bool]]) -> list[int]:
        broken = set[int]()
        for name, number, digest, objects, final in rows:
            part = OutputReceipt(digest=digest, objects=objects, final=final)
            block = self.job.block(number)
            if self.job.works[name].intact(block, part):
                self._mark(name, number, part)
            else:
                broken.update([number, *self.job.works[name].needs(block)])
        for number in broken:
            for marks in self.marks.values():
                marks.computed[number] = False
        lost = [b for b in broken if not all(m.final[b] for m in self.marks.values())]
        done = np.flatnonzero(~self.pending())
        self.voxels_done = sum(self.job.voxels(int(block)) for block in done)
        return lost

    def _left_receipts(self) -> list[Receipt]:
        """Return what tasks have finished, and no driver has journalled, if the files are whole."""
        pending = self.pending()
        receipts = self.job.receipts(self.job.receipt_numbers())
        return [r for r in receipts if pending[r.block] and not r.broken and self._is_intact(r)]

    def _is_intact(self, receipt: Receipt) -> bool:
        block = self.job.block(receipt.block)
        parts = receipt.outputs
        return set(parts) == set(self.job.works) and all(
            self.job.works[name].intact(block, part) for name, part in parts.items()
        )

    def _mark(self, name: str, block: int, part: OutputReceipt) -> None:
        marks = self.marks[name]
        marks.computed[block] = True
        marks.final[block] = part.final
        marks.objects[block] = part.objects

    def _put(self, connection: Connection, rows: Sequence[tuple[str, int, OutputReceipt]]) -> None:
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

    def _chunk_event(self, name: str, block: Block, part: OutputReceipt) -> MakeEvent:
        key, region = self.job.key(name, block), self.job.region(name, block)

        def event(number: int) -> Event:
            return ChunkDone(
                number=number,
                output=name,
                key=key,
                region=region,
                final=part.final,
                digest=part.digest,
            )

        return event
