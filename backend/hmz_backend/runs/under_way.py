"""Runs that have not ended: one task each, which drives the run and writes how it ended.

Runs on the event loop. Each run has two tasks: `work` drives it, and may be cancelled at any
moment; `task` waits for that and writes the last word, and is cancelled only when the backend
stops. So a run ends once and in one way, however many ask for it to be stopped, and whenever.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from hmz_backend.audit.entry import BACKEND, Entry, Who
from hmz_backend.database.lease import LeaseLost
from hmz_backend.database.writer import Operation
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs.act import run_act
from hmz_backend.runs.bell import wait_for
from hmz_backend.runs.block_worker import BlockWorker
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.driver import Driver
from hmz_backend.runs.entrance import Entrance, Place
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.log import RunLog
from hmz_backend.runs.opening import open_job
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.settling import Settling
from hmz_backend.runs.state import StateKeeper
from hmz_backend.shares.turn import Share
from hmz_backend.usage.amount import Account, Amount
from hmz_backend.watch.about import about
from napari_hmz.errors import HmzError, InternalError, RunCancelled, Suspended
from napari_hmz.schema import Event, OutputResult, Progress, Progressed, Region, Run

log = logging.getLogger(__name__)
TOLD_S = 2.0  # how often a run that waits for its turn looks whether it has moved up
NEAR = 8  # place in the queue; those behind it move too often to tell each time
CANCEL_S = 20.0  # a client gives an answer 30 s; what stops later is told by the run's events
LAST_WORD_S = 10.0  # writing how a run ended takes a moment, unless its disk is full
Results = tuple[OutputResult, ...]


@dataclass(eq=False)
class Active:
    """A run that has not ended."""

    state: StateKeeper
    owner: Principal
    place: Place
    work: "asyncio.Task[Results] | None" = None
    task: "asyncio.Task[None] | None" = None
    driver: Driver | None = None
    cancelled: Entry | None = None
    """What the trail is told of who has stopped it."""
    focus: Region | None = None


@dataclass
class UnderWay:
    """Looks after the runs that have not ended.

    Parameters
    ----------
    root
        Folder of the runs.
    parts
        What they are driven with.
    worker
        Does block tasks of the jobs entered here.
    brief
        Makes the brief of a run again whose file is lost.
    entrance
        Lets so many runs of one person go at a time.
    is_suspended
        Whether somebody is kept out: then their runs do not go on either.
    """

    root: Path
    parts: Parts
    worker: BlockWorker
    brief: Callable[[Run], Awaitable[Brief]]
    entrance: Entrance
    is_suspended: Callable[[Who], bool]
    settling: Settling = field(init=False)
    _active: dict[str, Active] = field(default_factory=dict)
    _logs: MutableMapping[str, RunLog] = field(default_factory=WeakValueDictionary)

    def __post_init__(self) -> None:
        """Begin with nothing under way."""
        self.settling = Settling(self.parts)

    def log(self, run: str) -> RunLog:
        """Return the log of a run: one for all who write to it or follow it at a time."""
        found = self._logs.get(run)
        if found is None:
            found = self._logs[run] = RunLog(run, self.parts.database)
        return found

    def begin(self, owner: Principal, run: Run, run_log: RunLog) -> None:
        """Drive a run from where it is; `run_log` knows the last number given."""
        run_log.begun_after = run_log.number
        share = self.parts.weights.share(owner, run.request.urgency)
        active = Active(StateKeeper(run, run_log, owner), owner, self.entrance.enter(share, run.id))
        self._active[run.id] = active
        for volume in run.request.volumes:
            self.parts.volumes.use(volume)
        active.work = asyncio.create_task(self._work(active), name=f"work of run {run.id}")
        active.task = asyncio.create_task(self._attend(active), name=f"run {run.id}")

    def is_active(self, run: str) -> bool:
        """Return whether a task of this run may still read or write its files."""
        return run in self._active

    def states(self) -> Counter[str]:
        """Return how many runs are in each state that is no end."""
        return Counter(active.state.run.state for active in self._active.values())

    def progress(self, run: str) -> Progress | None:
        """Return how far a run is; none if it is not driven now."""
        active = self._active.get(run)
        if active is None:
            return None
        if active.driver is not None:
            return active.driver.progress()
        return None if active.place.admitted.is_set() else self._waiting(active)

    def wait_s(self, share: Share, position: int) -> float | None:
        """Return how long it takes until so many runs of a person have ended; none if unknown."""
        drivers = [self._active[run].driver for run in self.entrance.going(share)]
        left = [driver.progress().seconds_left for driver in drivers if driver is not None]
        known = sorted(seconds for seconds in left if seconds is not None)
        return known[position - 1] if 0 < position <= len(known) == len(drivers) else None

    def focus(self, run: str, region: Region) -> None:
        """Let the blocks that touch a region of the volume go first."""
        active = self._active.get(run)
        if active is not None:
            active.focus = region  # for a driver that is still being made
            if active.driver is not None:
                active.driver.focus(region)

    async def cancel(self, run: str, by: Who) -> None:
        """Stop a run, and wait a while until it has stopped; twice is no error."""
        active = self._active.get(run)
        if active is None or active.work is None or active.task is None:
            return
        if active.cancelled is None:  # a second blow would hit the winding up
            active.cancelled = run_act("run.cancelled", by, active.state.run)  # in this request
            active.work.cancel()
        await asyncio.wait([active.task], timeout=CANCEL_S)

    async def cancel_suspended(self) -> None:
        """Stop the runs of those who are kept out now."""
        runs = [run for run, each in self._active.items() if self.is_suspended(each.state.owner)]
        await asyncio.gather(*(self.cancel(run, BACKEND) for run in runs))

    async def wound_up(self, run: str) -> None:
        """Wait until a run that ends has ended; a run that goes on is not waited for."""
        active = self._active.get(run)
        if active is not None and active.task is not None and _is_ending(active):
            await asyncio.wait([active.task])

    async def stop(self) -> None:
        """Leave all runs as they are, to be begun again by the next backend.

        Those that end at this moment may write their last word, if the disk takes it.
        """
        tasks = {a.task: _is_ending(a) for a in self._active.values() if a.task is not None}
        for task, is_ending in tasks.items():
            if not is_ending:
                task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=LAST_WORD_S)
            for task in left:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.settling.stop()

    def end_streams(self) -> None:
        """Let everyone who follows a run go: the backend stops."""
        for run_log in list(self._logs.values()):
            run_log.end_streams()

    async def _attend(self, active: Active) -> None:
        """See a run to its end, and write down how it ended."""
        with about(run=active.state.run.id):
            await self._seen_to_its_end(active)

    async def _seen_to_its_end(self, active: Active) -> None:
        run = active.state.run
        try:
            await self._conclude(active)
            self.parts.watch.work.run_ended(run.plan.model, active.state.run.state)
            log.info("a run of %s has ended: %s", run.plan.model, active.state.run.state)
        except LeaseLost:
            log.warning("another server process goes on with it")
        finally:
            self.worker.jobs.pop(run.id, None)
            self._active.pop(run.id, None)
            for volume in run.request.volumes:
                self.parts.volumes.leave(volume)
            self.entrance.leave(active.place)

    async def _conclude(self, active: Active) -> None:
        assert active.work is not None  # noqa: S101 # `begin` has made it
        me, state = asyncio.current_task(), active.state
        try:
            results = await active.work
        except asyncio.CancelledError:
            if me is not None and me.cancelling():
                raise  # the backend stops
            act = active.cancelled or run_act("run.cancelled", BACKEND, state.run)
            await state.cancel(_cancelled(state.run), act)
        except LeaseLost:
            raise
        except HmzError as error:
            await state.fail(error)
        except Exception:  # a bug in one run ends it, not the backend
            log.exception("the run failed unexpectedly")
            await state.fail(InternalError("The run failed unexpectedly."))
        else:
            await state.done(results)
            self.settling.add(self._folder(state.run))

    async def _work(self, active: Active) -> Results:
        """Do a run; what is journalled by the time that something stops it is kept."""
        run = active.state.run
        words = {"hmz__run": run.id, "hmz__model": run.plan.model, "hmz__version": run.plan.version}
        with about(run=run.id), self.parts.watch.traces.span("run", **words):
            return await self._done(active)

    async def _done(self, active: Active) -> Results:
        state, run = active.state, active.state.run
        if self.is_suspended(state.owner):  # taken up after a restart, or resumed by a guest
            raise Suspended(
                "The owner of this run is suspended.",
                remedy="Ask the backend's admin; what is computed is kept.",
            )
        await self._await_turn(active)
        log.info("a run of %s %s goes", run.plan.model, run.plan.version)
        job = await open_job(self._folder(run), self.parts, lambda: self.brief(run))
        self.worker.jobs[run.id] = job
        journal = Journal(job, state.log, partial(self._using, active))
        await journal.load()
        aside = partial(self.entrance.stand_aside, active.place)
        active.driver = Driver(state, job, self.parts, journal, active.place.share, aside)
        if active.focus is not None:
            active.driver.focus(active.focus)
        return await active.driver.drive()

    async def _await_turn(self, active: Active) -> None:
        """Wait until a run may go, and tell which place in the queue it has meanwhile."""
        told, log = 0, active.state.log
        while not active.place.admitted.is_set():
            progress = self._waiting(active)
            if progress.position != told:
                told = progress.position
                await log.append([partial(_progressed, progress=progress)])
            timeout_s = TOLD_S * max(1.0, told / NEAR)
            await wait_for(active.place.admitted, timeout_s)

    def _waiting(self, active: Active) -> Progress:
        position = self.entrance.ahead(active.place)
        return active.state.run.progress.model_copy(
            update={
                "waiting_for": "queue",
                "position": position,
                "wait_s": self.wait_s(active.place.share, position),
            }
        )

    def _using(self, active: Active, used: Amount) -> Operation:
        """Return what writes down what a run has used, on its owner's account."""
        made_of = active.state.run.provenance
        account = Account.of(active.owner, made_of.model, made_of.version)
        return self.parts.usage.ledger.adding({account: used})

    def _folder(self, run: Run) -> RunFolder:
        return RunFolder(self.root / run.id)


def _is_ending(active: Active) -> bool:
    return active.cancelled is not None or (active.work is not None and active.work.done())


def _progressed(number: int, progress: Progress) -> Event:
    return Progressed(number=number, progress=progress)


def _cancelled(run: Run) -> RunCancelled:
    return RunCancelled(
        "The run was cancelled.",
        remedy=f"What is computed is kept: `hmz attach {run.id}` goes on with it.",
    )
