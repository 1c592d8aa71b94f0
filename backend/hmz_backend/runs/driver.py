"""The driver of one run: from the first block to the last word.

```
        ┌── chunks arrive, focus changes, blocks end ──┐
        v                                              │
queued → running: take ready blocks → executor → receipt → keeper: journal + events
                                                       │ all blocks done
                                        joining: labels of all blocks → final chunks
                                                       v
                                       done   (or failed, or cancelled)
```

One task of the event loop per run; heavy work goes to threads. What has been journalled is never
done again: a driver that is started for a run that was interrupted takes up there.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hmz_backend.executors.protocol import BlockTask, Outcome, Ticket
from hmz_backend.planning.blocks import tiled_voxels
from hmz_backend.planning.estimate import work_share
from hmz_backend.runs import records
from hmz_backend.runs.blanks import Arrays
from hmz_backend.runs.feed import Feed
from hmz_backend.runs.finishing import Finisher
from hmz_backend.runs.frontier import Frontier
from hmz_backend.runs.idleness import Idleness, StandAside, stay
from hmz_backend.runs.job import Job
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.keeper import Keeper
from hmz_backend.runs.outlook import Outlook
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.readers import Readers
from hmz_backend.runs.receipt import Receipt
from hmz_backend.runs.state import StateKeeper
from hmz_backend.runs.supply import Supply
from hmz_backend.runs.throughput import Throughput
from hmz_backend.shares.turn import NOBODY, Share, Turn
from napari_hmz.errors import HmzError, InternalError
from napari_hmz.schema import OutputResult, Progress, Region, Run, Waiting

log = logging.getLogger(__name__)
PROGRESS_S = 0.5  # how often progress is told, at most
POLL_S = 30.0
NARROW_S = 2.0  # for longer, the link does not wait for the first block: a model may be loading
SKIPPED_TOGETHER = 256  # blocks that give nothing, journalled at once


@dataclass
class Driver:
    """Drives one run to its end.

    Parameters
    ----------
    state
        The run, and how far it is.
    job
        What its blocks need.
    parts
        The backend's executor, dispatcher, threads, volumes.
    journal
        What is finished, and who is told.
    share
        Whose part of the capacity it takes.
    stand_aside
        Called with whether its image does not come: then it takes nobody's place.
    """

    state: StateKeeper
    job: Job
    parts: Parts
    journal: Journal
    share: Share = NOBODY
    stand_aside: StandAside = stay
    frontier: Frontier = field(init=False)
    supply: Supply = field(init=False)
    finisher: Finisher = field(init=False)
    outlook: Outlook = field(init=False)
    throughput: Throughput = field(init=False)
    idleness: Idleness = field(init=False)
    keeper: Keeper = field(init=False)
    _tickets: dict[Ticket, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _tile_voxels: int = 1
    _queued: bool = False
    _skipped: int = 0
    _begun_s: float | None = None
    _told: Progress | None = None
    _told_at_s: float = 0.0
    _ahead: int = 0

    def __post_init__(self) -> None:
        """Look at what is left to do."""
        self.frontier = self.job.frontier(self.journal.pending())
        self.supply = Supply(
            self.job.feeds,
            self.frontier,
            self.parts.volumes,
            self._on_chunk_arrived,
            self._count_readers,
        )
        self.finisher, self.idleness = Finisher(self.job, self.journal), Idleness(self.stand_aside)
        self.keeper = Keeper(self._keep, self._changed.set)
        plan, at_once = self.run.plan, self.parts.computed_at_once
        self.frontier.at_first = None if self.journal.blocks_done else at_once
        usual = plan.voxels / plan.seconds if plan.seconds and plan.measured else None
        self._tile_voxels = tiled_voxels(plan) // plan.blocks  # on average
        self.outlook, self.throughput = Outlook(at_once, usual), Throughput(at_once)

    async def drive(self) -> tuple[OutputResult, ...]:
        """Do the run; raises what ends it early. What is journalled by then is kept."""
        await self.state.start()
        await self.finisher.start()
        await self._compute()
        await self._teach()
        if self.job.joins:
            await self.state.enter("joining")
            await self._tell(always=True)
        results = await self.finisher.finish()
        await self._tell(always=True)
        return results

    @property
    def run(self) -> Run:
        """The run as it is."""
        return self.state.run

    def focus(self, region: Region) -> None:
        """Let the blocks that touch a region of the volume go first."""
        self.frontier.focus(self.job.blocks_touching(region))
        self.supply.changed()
        self._changed.set()

    def progress(self) -> Progress:
        """Return how far the run is."""
        plan, now_s = self.run.plan, time.monotonic()
        needed, held = self.supply.count()
        waiting_for = self._waiting_for()
        return Progress(
            blocks_done=self.journal.blocks_done,
            blocks_total=plan.blocks,
            voxels_done=self.journal.voxels_done,
            chunks_held=held,
            chunks_needed=needed,
            waiting_for=waiting_for,
            position=self._ahead + 1 if waiting_for == "queue" else 0,
            wait_s=self._wait_s() if waiting_for == "queue" else None,
            voxels_per_s=self.outlook.voxels_per_s(now_s),
            seconds_left=self.outlook.seconds_left(
                voxels=plan.voxels - self.journal.voxels_done,
                chunks=needed - held,
                awaits_chunks=waiting_for == "chunks",
                now_s=now_s,
            ),
        )

    def _waiting_for(self) -> Waiting:
        if self.run.state != "running":
            return "queue" if self.run.state == "queued" else ""
        if self.parts.dispatcher.trouble(self.run.plan.model, self.run.plan.version):
            return "engine"
        if not self._tickets:
            return "chunks" if self.frontier.is_waiting else ""
        return "queue" if self._queued else ""

    def _wait_s(self) -> float | None:
        usual = self.outlook.usual_voxels_per_s
        return self._tile_voxels * (self._ahead + 1) / usual if usual else None

    async def _compute(self) -> None:
        await self.supply.open(self.journal.pending())
        try:
            while not self.journal.is_computed:
                self._changed.clear()
                await self._submit()
                if not self._tickets:
                    self.keeper.hurry()
                self._weigh()
                if self._begun_s is not None and time.monotonic() - self._begun_s > NARROW_S:
                    self._open_wide()
                await self._wait()
                self.keeper.check()
                self.idleness.look(awaits_chunks=not self._tickets and self.frontier.is_waiting)
                await self._tell()
            await self.keeper.settle()
            self._weigh()
        finally:
            self.supply.close()
            with contextlib.suppress(asyncio.CancelledError, HmzError):
                await asyncio.shield(self._wind_up())

    def _weigh(self) -> None:
        self.throughput.note(
            time.monotonic(),
            done=self.journal.blocks_done - self._skipped,
            under_way=len(self._tickets),
        )

    def _on_chunk_arrived(self) -> None:
        self.idleness.moved()
        self.outlook.arrived(time.monotonic())
        self._changed.set()

    async def _submit(self) -> None:
        nothing: dict[int, Arrays] = {}
        while len(self._tickets) + len(self.keeper) < 2 * self.parts.tiles_in_flight:
            block = self.frontier.take()
            if block is None:
                break
            if (results := self.job.nothing(block)) is not None:
                nothing[block] = results
                if len(nothing) == SKIPPED_TOGETHER:
                    break
                continue
            task = BlockTask(self.run.id, block, self._turn(block))
            ticket = await self.parts.executor.submit(task)
            self._tickets[ticket] = block
            self._begun_s = self._begun_s or time.monotonic()
        if nothing:
            await self._skip(nothing)
        if self.frontier.wants_more():
            self.supply.changed()

    def _turn(self, block: int) -> Turn:
        order = (0 if self.frontier.is_urgent(block) else 1,)
        return Turn(self.share, order, self._tile_voxels)

    async def _skip(self, nothing: Mapping[int, Arrays]) -> None:
        """Keep blocks that are known to give nothing: no tile is read, no engine is asked."""
        self.keeper.take(await self.parts.in_thread(self.job.skip, nothing))
        await self.keeper.settle()
        self._skipped += len(nothing)
        self._changed.set()  # more of them may be ready

    async def _wait(self) -> None:
        """Wait until a block ends, a chunk arrives or the focus changes; keep what has ended."""
        changed = asyncio.create_task(self._changed.wait())
        waits: list[asyncio.Task[object]] = [changed]
        poll = None
        if self._tickets:
            poll = asyncio.create_task(
                self.parts.executor.poll(list(self._tickets), timeout_s=POLL_S)
            )
            waits.append(poll)
        try:
            await asyncio.wait(waits, timeout=PROGRESS_S, return_when=asyncio.FIRST_COMPLETED)
            outcomes = poll.result() if poll is not None and poll.done() else {}
        finally:
            for wait in waits:
                wait.cancel()
        self._settle([(t, o) for t, o in outcomes.items() if o.phase not in _UNDER_WAY])

    def _settle(self, ended: Sequence[tuple[Ticket, Outcome]]) -> None:
        done, failed = [], []
        for ticket, outcome in ended:
            block = self._tickets.pop(ticket)
            self.idleness.moved()
            if outcome.phase == "done":
                done.append(Receipt.model_validate_json(outcome.receipt))
            elif outcome.phase == "lost":
                self.frontier.give_back(block)
            else:
                failed.append(outcome.error or InternalError("A block of the run was stopped."))
        if done:
            self.keeper.take(done)
            self._open_wide()
        if failed:
            raise failed[0]

    def _open_wide(self) -> None:
        if self.frontier.open_wide():
            self.supply.changed()

    async def _keep(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            if receipt.broken:
                await self._want_again(receipt)
        good = [receipt for receipt in receipts if not receipt.broken]
        await self.journal.computed(good)
        done = [receipt.block for receipt in good]
        await self._pass_on(done)
        voxels = sum(self.job.voxels(block) for block in done)
        self.outlook.computed(voxels, len(done), time.monotonic())
        self.parts.watch.work.voxels_done(self.run.plan.model, voxels)
        await self.finisher.after(done)

    async def _pass_on(self, done: Sequence[int]) -> None:
        """Let streamed volumes forget what these blocks were the last to read."""
        self.frontier.done(done)
        await self.supply.passed(done)

    async def _count_readers(self, feed: Feed, pending: NDArray[np.bool_]) -> Readers:
        return await self.parts.in_thread(Readers.of, feed.plan, feed.source, pending)

    async def _want_again(self, receipt: Receipt) -> None:
        log.warning("chunk %s is damaged and wanted again", receipt.broken)
        await self.supply.discard(receipt.broken_input, receipt.broken)
        self.frontier.give_back(receipt.block)
        self.supply.changed()

    async def _wind_up(self) -> None:
        """Cancel all tasks at once: one by one, each would make room for the next to begin.

        What had ended by then is kept; it is joined when the run is taken up.
        """
        await asyncio.gather(*(self.parts.executor.cancel(ticket) for ticket in self._tickets))
        outcomes = await self.parts.executor.poll(list(self._tickets), timeout_s=0)
        self._tickets.clear()
        done = [o.receipt for o in outcomes.values() if o.phase == "done"]
        receipts = [*await self.keeper.stop(), *map(Receipt.model_validate_json, done)]
        if good := [receipt for receipt in receipts if not receipt.broken]:
            await self.journal.computed(good)
        await self._tell(always=True)

    async def _tell(self, *, always: bool = False) -> None:
        if not always and time.monotonic() - self._told_at_s < PROGRESS_S:
            return
        self._told_at_s = time.monotonic()
        outcomes = await self.parts.executor.poll(list(self._tickets), timeout_s=0)
        self._queued = all(outcome.phase == "waiting" for outcome in outcomes.values())
        self._ahead = min((outcome.ahead for outcome in outcomes.values()), default=0)
        progress = self.progress()
        if self._told is None or _steps(progress) != _steps(self._told):
            self._told = progress
            await self.journal.tell_progress(progress)

    async def _teach(self) -> None:
        if self.throughput.blocks:
            plan, brief, seconds = self.run.plan, self.job.brief, self.throughput.seconds
            share = work_share(brief.card.tile, brief.parameters)
            voxels = round(self.throughput.blocks * tiled_voxels(plan) / plan.blocks * share)
            await self.parts.database.write(
                lambda c: records.add_speed(c, plan.model, plan.version, voxels, seconds)
            )


_UNDER_WAY = frozenset({"waiting", "running"})


def _steps(progress: Progress) -> Progress:
    """Return progress with guesses made coarse: they change while nothing happens."""
    known = None if progress.seconds_left is None else 0.0
    wait = None if progress.wait_s is None else 0.0
    moves = None if progress.voxels_per_s is None else float(progress.voxels_per_s > 0)
    return progress.model_copy(
        update={"seconds_left": known, "voxels_per_s": moves, "wait_s": wait}
    )
