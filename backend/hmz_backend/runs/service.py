"""All runs of this backend: created, followed, stopped, resumed, and taken up after a restart.

Runs on the event loop; what is done for runs that have not ended is in `under_way`.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from sqlalchemy.exc import IntegrityError

from hmz_backend.access.known import KnownRights
from hmz_backend.access.rights import Right, check_right
from hmz_backend.audit.entry import BACKEND, Who
from hmz_backend.audit.trail import recording
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import records
from hmz_backend.runs.act import run_act
from hmz_backend.runs.block_worker import BlockWorker
from hmz_backend.runs.brief import Brief
from hmz_backend.runs.clock import now
from hmz_backend.runs.entrance import Entrance
from hmz_backend.runs.folder import RunFolder
from hmz_backend.runs.log import RunLog, follow
from hmz_backend.runs.opening import lay_out
from hmz_backend.runs.output_array import DOCUMENT
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.planner import Planner
from hmz_backend.runs.readable import Readable
from hmz_backend.runs.sharing import Sharing
from hmz_backend.runs.state import StateKeeper
from hmz_backend.runs.under_way import UnderWay
from hmz_backend.usage.amount import Account, Amount
from napari_hmz.errors import Conflict, DiskFull, NotFound
from napari_hmz.schema import (
    ENDED,
    Plan,
    Progress,
    Provenance,
    Region,
    Run,
    RunRequest,
    SourceUsed,
    StateChanged,
)

log = logging.getLogger(__name__)
T = TypeVar("T")
LISTED = 200  # runs in one listing, the newest: more are of no use to a person, and cost seconds
OUTPUTS_KNOWN = 256  # runs whose outputs' documents are at hand
RESUMABLE = ("cancelled", "failed")
STORED = ("c", "rows")  # what the keys of chunks, and of a block's rows, begin with


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
    entrance
        How many runs one person may have.
    is_suspended
        Whether somebody is kept out: then their runs do not go on either.
    """

    root: Path
    parts: Parts
    planner: Planner
    worker: BlockWorker
    engine: str
    version: str
    entrance: Entrance = field(default_factory=Entrance)
    is_suspended: Callable[[Who], bool] = lambda _: False
    under_way: UnderWay = field(init=False)
    known: KnownRights = field(init=False)
    sharing: Sharing = field(init=False)
    _outputs: OrderedDict[str, Readable] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Begin with no run under way."""
        self.known = self.parts.volumes.known
        self.sharing = Sharing(self.parts.database, self.known, records.find_run, "run")
        self.under_way = UnderWay(
            self.root,
            self.parts,
            self.worker,
            self.planner.brief_again,
            self.entrance,
            self.is_suspended,
        )

    async def start(self) -> None:
        """Take up every run that has not ended, and those whose end may not be on the disk."""
        unsettled = await self.parts.in_thread(self._unsettled)
        found = await self.parts.database.read(lambda c: records.open_runs(c, unsettled))
        for owner, run in found:
            run_log = self.under_way.log(run.id)
            if run.state in ENDED:  # done, it seemed; whoever attaches must know that it goes on
                try:
                    await self._begin_again(owner, run, run_log, BACKEND)
                    continue
                except DiskFull as error:  # that must not keep the backend from starting
                    log.warning("run %s is not told to go on: %s", run.id, error.detail)
            await run_log.take_up()
            self.under_way.begin(owner, run, run_log)

    async def stop_suspended(self, changes: AsyncIterator[None]) -> None:
        """Stop the runs of whoever is suspended, whenever that changes."""
        async for _ in changes:
            await self.under_way.cancel_suspended()

    async def stop(self) -> None:
        """Leave all runs as they are; `start` takes them up again."""
        await self.under_way.stop()

    def end_streams(self) -> None:
        """Let everyone who follows a run go: the backend stops."""
        self.under_way.end_streams()

    async def create(self, owner: Principal, request: RunRequest, key: str | None) -> Run:
        """Return a new run, or the one that the same request has made before.

        Raises
        ------
        Conflict
            If the idempotency key belongs to another request.
        LimitReached, ServerBusy
            If too many wait already.
        RequestError
            One of its leaves, if the run cannot be done as asked.
        """
        if key is not None:
            earlier = await self._earlier(owner, request, key)
            if earlier is not None:
                return earlier
        self.entrance.check(self.parts.weights.share(owner, request.urgency))
        brief = await self.planner.brief(uuid4().hex, owner, request)
        run = self._new_run(brief, request)
        await self.parts.in_thread(lay_out, RunFolder(self.root / run.id), brief)
        run_log = self.under_way.log(run.id)
        try:
            await run_log.append(
                [lambda number: StateChanged(number=number, state="queued")],
                lambda connection: records.add_run(connection, owner, run, key),
                last=recording(run_act("run.submitted", owner, run)),
            )
        except IntegrityError:
            earlier = await self._earlier(owner, request, key or "")
            if earlier is None:
                raise
            return earlier
        self.under_way.begin(owner, run, run_log)
        return run

    async def plan(self, owner: Principal, request: RunRequest) -> Plan:
        """Return what a run would do, and how long it would wait; raises as `Planner.plan`."""
        plan = await self.planner.plan(owner, request)
        share = self.parts.weights.share(owner, request.urgency)
        position = self.entrance.newcomer(share)
        wait_s = self.under_way.wait_s(share, position)
        return plan.model_copy(update={"position": position, "wait_s": wait_s})

    async def get(self, caller: Principal, run: str, need: Right = Right.READ) -> Run:
        """Return a run with its progress, if the caller may go as far as `need`.

        Raises
        ------
        NotFound, NotAllowed
            As `check_right`.
        """
        return (await self._found(caller, run, need))[1]

    async def listing(self, caller: Principal) -> list[Run]:
        """Return a caller's runs, and those that are shared with them, newest first."""
        runs = await self.parts.database.read(lambda c: records.list_runs(c, caller, LISTED))
        last = await self._last_progress(runs)
        return [self._progressed(run, last) for run in runs]

    async def cancel(self, caller: Principal, run: str) -> Run:
        """Stop a run; finished chunks stay. Cancelling an ended run changes nothing."""
        await self.get(caller, run, Right.CONTINUE)
        await self.under_way.cancel(run, caller)
        return await self.get(caller, run)

    async def resume(self, caller: Principal, run: str) -> Run:
        """Let a run that was cancelled or has failed go on from its journal, under the same id.

        Any other run is returned as it is. What was wrong and still is ends the run again. Whoever
        resumes it, it takes its owner's share of the backend.
        """
        await self.get(caller, run, Right.CONTINUE)
        run_log = self.under_way.log(run)
        async with run_log.beginning:  # of two who ask, one begins
            await self.under_way.wound_up(run)
            owner, found = await self._found(caller, run, Right.CONTINUE)
            if found.state in RESUMABLE and not self.under_way.is_active(run):
                await self._begin_again(owner, found, run_log, caller)
        return await self.get(caller, run)

    async def remove(self, caller: Principal, run: str) -> None:
        """Forget a run that has ended, and delete its files.

        Raises
        ------
        NotFound, NotAllowed
            If it is not the caller's.
        Conflict
            If it has not ended.
        """
        await self.get(caller, run, Right.OWN)
        run_log = self.under_way.log(run)  # held: who resumes the run must meet the same lock
        async with run_log.beginning:
            await self.under_way.wound_up(run)
            found = await self.get(caller, run, Right.OWN)
            if found.state not in ENDED or self.under_way.is_active(run):
                raise Conflict(
                    "The run has not ended.", remedy=f"Cancel it first: `hmz cancel {run}`."
                )
            await self.parts.database.write(
                lambda c: records.remove_run(c, run),
                last=recording(run_act("run.removed", caller, found)),
            )
            run_log.end_streams()
            self._outputs.pop(run, None)
            self.known.forget()
            await self.parts.in_thread(RunFolder(self.root / run).remove)

    async def collect(self, run: str) -> bool:
        """Delete the files of a run that has ended; False if it is used. A resume starts over."""
        run_log = self.under_way.log(run)
        async with run_log.beginning:
            if self.under_way.is_active(run):
                return False
            await self.parts.in_thread(RunFolder(self.root / run).remove)
            return True

    async def focus(self, caller: Principal, run: str, region: Region) -> None:
        """Let the blocks that touch a region of the volume go first."""
        found = await self.get(caller, run, Right.CONTINUE)
        unknown = set(region) - set(found.plan.region)
        if unknown:
            raise NotFound(f"The image has no axis {', '.join(sorted(unknown))}.")
        self.under_way.focus(run, region)

    async def events(
        self, caller: Principal, run: str, after: int, *, silence_s: float
    ) -> AsyncIterator[tuple[int, str, str] | None]:
        """Return the events after a number, as `log.follow` yields them."""
        await self.get(caller, run)
        return self._while_shared(
            caller, run, follow(self.under_way.log(run), after, silence_s=silence_s)
        )

    async def output(self, caller: Principal, run: str, name: str, key: str) -> bytes:
        """Return the bytes of a key in an output's zarr store, or raise `NotFound`.

        An array has its document even while a run that is taken up has not looked at its files.
        """
        readable = await self._readable(caller, run)
        documents = readable.documents
        parts = key.split("/")
        is_chunk = parts[0] in STORED and all(p.isascii() and p.isdigit() for p in parts[1:])
        if name not in documents or not (key == DOCUMENT or is_chunk):
            raise NotFound(f"The run has no {name}/{key[:80]}.")
        if key == DOCUMENT and documents[name] and self._has_files(run):
            return documents[name]
        path = RunFolder(self.root / run).output(name) / key
        try:
            body = await self.parts.in_thread(path.read_bytes)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if not self._has_files(run):
                raise NotFound(
                    "The results of this run were deleted here: it ended too long ago.",
                    remedy="Run it again; what is still held of the image is not sent again.",
                ) from error
            raise NotFound(f"Output {name} has no chunk {key[:80]}.") from error
        account = Account.of(caller, readable.model, readable.version)
        self.parts.usage.add(account, Amount(bytes_down=len(body)))
        return body

    async def _begin_again(self, owner: Principal, run: Run, run_log: RunLog, by: Who) -> None:
        """Take the end of a run back, and drive it on."""
        await run_log.take_up()
        state = StateKeeper(run, run_log, owner)
        await state.queue_again(by)
        self.under_way.begin(owner, state.run, run_log)

    async def _found(self, caller: Principal, run: str, need: Right) -> tuple[Principal, Run]:
        """Return a run and its owner; raises as `check_right`."""
        row, right = await self.parts.database.read(lambda c: records.find_run(c, caller, run))
        check_right(right, need, "run")
        self.known.put(caller, run, right)
        assert row is not None  # noqa: S101 # nobody has a right to what is not there
        owner = caller if right is Right.OWN else records.run_owner(row)
        return owner, await self._with_progress(records.to_run(row, right))

    async def _while_shared(
        self, caller: Principal, run: str, events: AsyncIterator[T]
    ) -> AsyncIterator[T]:
        """Yield events as long as the caller may see the run: a share may be taken back."""
        async for event in events:
            if self.known.get(caller, run) is None:
                try:
                    await self.get(caller, run)
                except NotFound:
                    return
            yield event

    def _has_files(self, run: str) -> bool:
        """Return whether a run's files are there, or are just being made again."""
        return self.under_way.is_active(run) or (self.root / run).exists()

    async def _readable(self, caller: Principal, run: str) -> Readable:
        known = self.known.get(caller, run) is not None
        if not known or run not in self._outputs:  # asked once, not for each of thousands of chunks
            self._outputs[run] = Readable.of(await self.get(caller, run))
            if len(self._outputs) > OUTPUTS_KNOWN:
                self._outputs.popitem(last=False)
        return self._outputs[run]

    async def _earlier(self, owner: Principal, request: RunRequest, key: str) -> Run | None:
        found = await self.parts.database.read(lambda c: records.find_request(c, owner, key))
        if found is not None and found.request.substance != request.substance:
            raise Conflict("The idempotency key belongs to another request.")
        return None if found is None else await self._with_progress(found)

    async def _with_progress(self, run: Run) -> Run:
        last = {} if self._now(run) else await self._last_progress([run])
        return self._progressed(run, last)

    async def _last_progress(self, runs: Sequence[Run]) -> Mapping[str, Progress]:
        asked = [run.id for run in runs if self._now(run) is None]
        return await self.parts.database.read(lambda c: records.last_progress(c, asked))

    def _progressed(self, run: Run, last: Mapping[str, Progress]) -> Run:
        progress = self._now(run) or last.get(run.id)
        return run if progress is None else run.model_copy(update={"progress": progress})

    def _now(self, run: Run) -> Progress | None:
        return None if run.state in ENDED else self.under_way.progress(run.id)

    def _unsettled(self) -> list[str]:
        """Return the runs that have files which a run that is done does not have."""
        folders = [RunFolder(path) for path in self.root.iterdir()]
        return [folder.root.name for folder in folders if not folder.is_settled]

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
            inputs={
                name: SourceUsed(
                    name=other.source.name,
                    fingerprint=other.source.fingerprint,
                    statistics=other.statistics,
                )
                for name, other in brief.others.items()
            },
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
