"""All runs of this backend: created, followed, stopped, and taken up after a restart.

Runs on the event loop; each run that has not ended has one task, its driver.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from sqlalchemy.exc import IntegrityError

from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import records
from hmz_backend.runs.block_worker import BlockWorker
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.clock import now
from hmz_backend.runs.driver import Driver
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.log import RunLog, follow, last_number
from hmz_backend.runs.opening import open_job
from hmz_backend.runs.output_array import OutputFile
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.planner import Planner
from hmz_backend.runs.state import StateKeeper
from napari_hmz.errors import Conflict, HmzError, InternalError, NotFound, RunCancelled
from napari_hmz.schema import ENDED, Provenance, Region, Run, RunRequest, StateChanged

log = logging.getLogger(__name__)
LISTED = 1000  # runs in one listing


@dataclass
class Active:
    """A run that has not ended."""

    log: RunLog
    task: "asyncio.Task[None] | None" = None
    driver: Driver | None = None
    cancelled: bool = False
    focus: Region | None = None


@dataclass
class RunService:
    """Looks after runs.

    Parameters
    ----------
    root
        Folder of the runs.
    parts
        What they are driven with.
    planner
        Turns requests into plans.
    worker
        Does block tasks of the jobs entered here.
    engine, version
        Words for the provenance: the kind of engine, the version of this backend.
    """

    root: Path
    parts: Parts
    planner: Planner
    worker: BlockWorker
    engine: str
    version: str
    _active: dict[str, Active] = field(default_factory=dict)
    _outputs: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)

    async def start(self) -> None:
        """Take up every run that has not ended."""
        for run in await self.parts.database.read(records.unfinished_runs):
            number = await last_number(self.parts.database, run.id)
            self._begin(run, RunLog(run.id, self.parts.database, number))

    async def stop(self) -> None:
        """Leave all runs as they are; `start` takes them up again."""
        tasks = [active.task for active in self._active.values() if active.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def end_streams(self) -> None:
        """Let everyone who follows a run go: the backend stops."""
        for active in self._active.values():
            active.log.end_streams()

    async def create(self, owner: Principal, request: RunRequest, key: str | None) -> Run:
        """Return a new run, or the one that the same request has made before.

        Raises
        ------
        Conflict
            If the idempotency key belongs to another request.
        RequestError
            One of its leaves, if the run cannot be done as asked.
        """
        if key is not None:
            earlier = await self._earlier(owner, request, key)
            if earlier is not None:
                return earlier
        brief = await self.planner.brief(uuid4().hex, owner, request)
        run = self._new_run(brief, request)
        await self.parts.in_thread(self._make_folder, brief)
        run_log = RunLog(run.id, self.parts.database)
        try:
            await run_log.append(
                [lambda number: StateChanged(number=number, state="queued")],
                lambda connection: records.add_run(connection, owner, run, key),
            )
        except IntegrityError:
            earlier = await self._earlier(owner, request, key or "")
            if earlier is None:
                raise
            return earlier
        self._begin(run, run_log)
        return run

    async def get(self, owner: Principal, run: str) -> Run:
        """Return a run of this owner, with its progress, or raise `NotFound`."""
        found = await self.parts.database.read(lambda c: records.find_run(c, owner, run))
        if found is None:
            raise NotFound("There is no such run.")
        return await self._with_progress(found)

    async def listing(self, owner: Principal) -> list[Run]:
        """Return this owner's runs, newest first."""
        runs = await self.parts.database.read(lambda c: records.list_runs(c, owner, LISTED))
        return [await self._with_progress(run) for run in runs]

    async def cancel(self, owner: Principal, run: str) -> Run:
        """Stop a run; finished chunks stay. Cancelling an ended run changes nothing."""
        await self.get(owner, run)
        active = self._active.get(run)
        if active is not None and active.task is not None:
            active.cancelled = True
            active.task.cancel()
            await asyncio.wait([active.task])
        return await self.get(owner, run)

    async def focus(self, owner: Principal, run: str, region: Region) -> None:
        """Let the blocks that touch a region of the volume go first."""
        found = await self.get(owner, run)
        unknown = set(region) - set(found.plan.region)
        if unknown:
            raise NotFound(f"The image has no axis {', '.join(sorted(unknown))}.")
        active = self._active.get(run)
        if active is not None:
            active.focus = region  # for a driver that is still being made
            if active.driver is not None:
                active.driver.focus(region)

    async def events(
        self, owner: Principal, run: str, after: int, *, silence_s: float
    ) -> AsyncIterator[tuple[int, str, str] | None]:
        """Return the events after a number, as `log.follow` yields them."""
        await self.get(owner, run)
        active = self._active.get(run)
        run_log = active.log if active else RunLog(run, self.parts.database)
        return follow(run_log, after, silence_s=silence_s)

    async def output(self, owner: Principal, run: str, name: str, key: str) -> bytes:
        """Return the bytes of a key in an output's zarr store, or raise `NotFound`."""
        known = name in await self._output_names(owner, run)
        parts = key.split("/")
        is_chunk = parts[0] == "c" and all(p.isascii() and p.isdigit() for p in parts[1:])
        if not known or not (key == "zarr.json" or is_chunk):
            raise NotFound(f"The run has no {name}/{key[:80]}.")
        path = RunFolder(self.root / run).output(name) / key
        try:
            return await self.parts.in_thread(path.read_bytes)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFound(f"Output {name} has no chunk {key[:80]}.") from error

    async def _output_names(self, owner: Principal, run: str) -> Collection[str]:
        mine = (owner.issuer, owner.subject, run)
        if mine not in self._outputs:  # asked once, not for each of thousands of chunks
            found = await self.get(owner, run)
            self._outputs[mine] = frozenset(output.name for output in found.plan.outputs)
        return self._outputs[mine]

    async def _earlier(self, owner: Principal, request: RunRequest, key: str) -> Run | None:
        found = await self.parts.database.read(lambda c: records.find_request(c, owner, key))
        if found is not None and found.request != request:
            raise Conflict("The idempotency key belongs to another request.")
        return None if found is None else await self._with_progress(found)

    async def _with_progress(self, run: Run) -> Run:
        active = self._active.get(run.id)
        if active is not None and active.driver is not None and run.state not in ENDED:
            return run.model_copy(update={"progress": active.driver.progress()})
        last = await self.parts.database.read(lambda c: records.last_progress(c, run.id))
        return run if last is None else run.model_copy(update={"progress": last})

    def _begin(self, run: Run, run_log: RunLog) -> None:
        active = self._active[run.id] = Active(run_log)
        self.parts.volumes.use(run.request.volume)
        active.task = asyncio.create_task(self._drive(run, active), name=f"run {run.id}")

    async def _drive(self, run: Run, active: Active) -> None:
        """Do a run to its end, and write down how it ended."""
        state = StateKeeper(run, active.log)
        try:
            job = await open_job(RunFolder(self.root / run.id), self.parts)
            self.worker.jobs[run.id] = job
            journal = Journal(job, active.log)
            await journal.load()
            active.driver = Driver(state, job, self.parts, journal)
            if active.focus is not None:
                active.driver.focus(active.focus)
            await active.driver.drive()
        except asyncio.CancelledError:
            if active.cancelled:
                await state.end("cancelled", RunCancelled("The run was cancelled."))
            raise
        except HmzError as error:
            await state.end("failed", error)
        except Exception:  # a bug in one run ends it, not the backend
            log.exception("run %s", run.id)
            await state.end("failed", InternalError("The run failed unexpectedly."))
        finally:
            self.worker.jobs.pop(run.id, None)
            self._active.pop(run.id, None)
            self.parts.volumes.leave(run.request.volume)

    def _make_folder(self, brief: Brief) -> None:
        folder = RunFolder(self.root / brief.run)
        folder.save_brief(brief)
        for output in brief.plan.outputs:
            OutputFile(output, folder.output(output.name)).create(brief.run, brief.source.name)

    def _new_run(self, brief: Brief, request: RunRequest) -> Run:
        at = now()
        provenance = Provenance(
            model=brief.card.id,
            version=brief.card.version,
            model_digest=brief.card.digest,
            parameters=brief.parameters,
            region=brief.plan.region,
            block=brief.plan.block,
            halo=brief.plan.halo,
            statistics=brief.statistics,
            source_name=brief.source.name,
            source_fingerprint=brief.source.fingerprint,
            backend_version=self.version,
            engine=self.engine,
            run=brief.run,
            created_at=at,
        )
        return Run(
            id=brief.run,
            state="queued",
            request=request,
            plan=brief.plan,
            provenance=provenance,
            created_at=at,
        )
