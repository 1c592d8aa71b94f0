"""The application: every part given, or made from the settings, and put together in one place.

What runs where: routes, drivers and the dispatcher are coroutines of one event loop; decoding,
stitching and files are worker threads; the database has one writer thread; the engine computes.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from hmz_backend.access.models import ModelRules
from hmz_backend.audit.checkpoints import Checkpoints
from hmz_backend.audit.entry import BACKEND, Entry
from hmz_backend.audit.keeper import AuditKeeper
from hmz_backend.audit.summary import Summary
from hmz_backend.database.access import Database
from hmz_backend.dispatch.dispatcher import Dispatcher, Patience
from hmz_backend.dispatch.weights import Weights
from hmz_backend.dispatch.window import Window
from hmz_backend.engines.protocol import Engine
from hmz_backend.engines.triton_http import TritonHttp
from hmz_backend.executors.local import LocalExecutor
from hmz_backend.executors.protocol import Executor, Ticket
from hmz_backend.identity.admission import Admission
from hmz_backend.identity.api_token import ApiTokens
from hmz_backend.identity.chain import Chain
from hmz_backend.identity.people import People
from hmz_backend.identity.protocol import Identity
from hmz_backend.issuers import sign_in_of
from hmz_backend.kserve.accounting import Accounting
from hmz_backend.kserve.facade import Facade
from hmz_backend.peers.election import Election
from hmz_backend.peers.relay import Peers, Relay, open_session
from hmz_backend.readings import Readings
from hmz_backend.routes import (
    health,
    kserve,
    me,
    metrics,
    models,
    openapi,
    outputs,
    plans,
    problems,
    rules,
    runs,
    shares,
    sign_in,
    tokens,
    usage,
    volumes,
)
from hmz_backend.routes.dependencies import Services, caller
from hmz_backend.routes.express import Express
from hmz_backend.routes.gate import LOOPBACK_NAMES, Gate
from hmz_backend.routes.prefix import Prefix
from hmz_backend.routes.request_pace import RequestPace
from hmz_backend.routes.words_limit import WordsLimit
from hmz_backend.runs.block_worker import BlockWorker
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.collector import Collector
from hmz_backend.runs.entrance import Entrance
from hmz_backend.runs.holdings import Holdings
from hmz_backend.runs.lookout import Lookout, Packages
from hmz_backend.runs.parts import Parts
from hmz_backend.runs.planner import Planner
from hmz_backend.runs.service import RunService
from hmz_backend.runs.shelf import Shelf
from hmz_backend.runs.volumes import Volumes
from hmz_backend.settings import Settings
from hmz_backend.shares.rate import Rate
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.stores.cache import ChunkCache
from hmz_backend.stores.staging import StagingArea
from hmz_backend.usage.folding import Folding
from hmz_backend.usage.tally import Tally
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import HmzError
from napari_hmz.priority import step_back
from napari_hmz.schema import wire
from napari_hmz.version import __version__

SPARE = 0.25  # of the tiles in flight: as many more are held for people who have none there
MakeExecutor = Callable[[BlockWorker], Executor]
Chore = Callable[[], Coroutine[object, object, None]]


def build_app(
    settings: Settings,
    *,
    engine: Engine,
    packages: Packages,
    identities: Sequence[Identity],
    executor: MakeExecutor | None = None,
    triton_http: TritonHttp | None = None,
    watch: Watch | None = None,
) -> FastAPI:
    """Return the application; its parts start with it, and are closed when it stops.

    Parameters
    ----------
    settings
        All settings.
    engine
        What computes tiles; closed at the end.
    packages
        The model packages.
    identities
        Who may call, asked in turn.
    executor
        Makes what runs block tasks; none: this process.
    triton_http
        Where `/v2` passes requests on to; closed at the end.
    watch
        Is told what goes on; none: a new one.
    """
    given = _Given(engine, packages, identities, executor, triton_http, watch or Watch())
    app = FastAPI(
        title="napari-hmz backend",
        version=__version__,
        summary="Large images in, segmentations out, chunk by chunk.",
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # served below, to callers only
        lifespan=lambda app: _open(app, settings, given),
        middleware=_before_routes(settings, given.watch),
    )
    people = (sign_in, me, usage, tokens)
    own = (health, *people, models, volumes, plans, runs, outputs, shares, metrics)
    for resource in (*own, kserve):
        app.include_router(resource.router)
    app.state.sign_in = sign_in_of(settings.issuers)
    app.add_api_route(
        f"{wire.API}/openapi.json",
        openapi.document,
        include_in_schema=False,
        dependencies=[Depends(caller), *rules.KNOWN],
    )
    _answer_with_problems(app)
    return app


def _before_routes(settings: Settings, watch: Watch) -> list[Middleware]:
    """Return what a request passes through, in order."""
    on_loopback = settings.host in ("127.0.0.1", "localhost", "::1")
    # With people of their own it stands behind a proxy, which knows the names it is called by.
    names = LOOPBACK_NAMES if on_loopback and not settings.knows_people else frozenset()
    return [
        Middleware(metrics.MetricsAddress, watch=watch),
        Middleware(Prefix, prefix=settings.url_prefix),
        Middleware(Gate, names=names, origins=settings.cors_origins, watch=watch),
        *_open_to_pages(settings.cors_origins),
        Middleware(Relay),
        Middleware(Express),
        Middleware(WordsLimit),
    ]


def _open_to_pages(origins: Sequence[str]) -> list[Middleware]:
    """Return what lets pages of these origins read answers (CORS); without any, none may."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Cache-Control", "Content-Type", *wire.HEADERS],
            expose_headers=["ETag", "Retry-After", *wire.HEADERS],
        )
    ]


def _answer_with_problems(app: FastAPI) -> None:
    app.add_exception_handler(HmzError, problems.on_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid)
    app.add_exception_handler(HTTPException, problems.on_http)


@dataclass(frozen=True)
class _Given:
    """The parts that `build_app` gets."""

    engine: Engine
    packages: Packages
    identities: Sequence[Identity]
    executor: MakeExecutor | None
    triton_http: TritonHttp | None
    watch: Watch

    def facade(self, parts: Parts, told: Summary, budget_bytes: int) -> Facade | None:
        """Return what answers `/v2`, if there is a Triton to pass requests on to."""
        if self.triton_http is None:
            return None
        account = Accounting(parts.usage, told)
        return Facade(self.triton_http, parts.dispatcher, parts.weights, budget_bytes, account)

    async def close(self) -> None:
        """Close what computes."""
        await self.engine.close()
        if self.triton_http is not None:
            await self.triton_http.close()


@asynccontextmanager
async def _open(app: FastAPI, settings: Settings, given: _Given) -> AsyncIterator[None]:
    """Run, alone or as one of several server processes."""
    database = Database.open(settings.database_address)
    measuring = asyncio.create_task(given.watch.lag.measure())
    try:
        if database.is_shared:
            async with _standing(app, settings, given, database):
                yield
        else:
            async with _running(app, settings, given, database, settings.data_dir / "runs"):
                yield
    finally:
        measuring.cancel()
        await given.close()
        database.close()


@asynccontextmanager
async def _standing(
    app: FastAPI, settings: Settings, given: _Given, database: Database
) -> AsyncIterator[None]:
    """Stand for election among the processes on one database; the one that wins runs."""

    def lead(database: Database, runs: Path) -> AbstractAsyncContextManager[None]:
        return _running(app, settings, given, database, runs)

    address = settings.address_for_peers
    election = Election(database, settings.data_dir, address, lead, lambda: end_streams(app))
    peers = app.state.peers = Peers(election, open_session())
    election.start()
    try:
        await election.settled()
        yield
    finally:
        await peers.close()


def end_streams(app: FastAPI) -> None:
    """Let event streams and long polls end; does nothing before the application has started."""
    services = getattr(app.state, "services", None)
    if services is not None:
        services.end_streams()


async def retire(app: FastAPI) -> None:
    """Let another server process lead, if there is one, and streams end: this one stops."""
    peers = getattr(app.state, "peers", None)
    if peers is not None:
        await peers.election.retire()
    end_streams(app)


@asynccontextmanager
async def _running(
    app: FastAPI, settings: Settings, given: _Given, database: Database, runs_root: Path
) -> AsyncIterator[None]:
    """Look after volumes and runs."""
    threads = ThreadPoolExecutor(
        settings.threads, thread_name_prefix="hmz-work", initializer=step_back
    )
    # Who asks for a card does not queue behind tiles.
    looking = ThreadPoolExecutor(1, thread_name_prefix="hmz-look")
    dispatcher = _dispatcher(given, settings)
    worker = BlockWorker(dispatcher, threads)
    made = given.executor(worker) if given.executor else _local(worker, settings)
    lookout = Lookout(given.packages, looking, database)
    catalogue = Catalogue(lookout, ModelRules(settings.model_access))
    # What was done here is told, whoever leads by now.
    audit = AuditKeeper(database.guarded(None), Checkpoints(settings.audit_checkpoints))
    shelf = _shelf(settings, threads, audit.summary)
    store = _volumes(settings, database, shelf, threads)
    weights, at_once = Weights(settings.share_weights, settings.anonymous_weight), settings.workers
    tiles, watch, tally = settings.tiles_in_flight, given.watch, Tally(database.guarded(None))
    parts = Parts(database, store, dispatcher, made, threads, tiles, at_once, weights, tally, watch)
    # A model's memory is taken by the tiles that are computed; those that wait are raw voxels.
    planner = Planner(catalogue, store, database, settings.memory_budget_bytes, settings.workers)
    entrance = Entrance(settings.runs_at_once, settings.runs_waiting, settings.runs_open)
    admission = _admission(database, settings, given.identities, audit.summary)
    root, bars, kind = _made(runs_root), admission.people.is_suspended, settings.engine
    service = RunService(root, parts, planner, worker, kind, __version__, entrance, bars)
    facade = given.facade(parts, audit.summary, settings.memory_budget_bytes)
    pace = RequestPace(Rate(settings.requests_per_s))
    blocks = made.queue if isinstance(made, LocalExecutor) else None
    readings = app.state.readings = Readings(watch, service, settings, blocks)
    services = app.state.services = Services(
        admission, audit, tally, pace, catalogue, store, service, settings.engine, readings, facade
    )
    collector = Collector(shelf, service, database, settings.volume_ttl_s, settings.run_ttl_s)
    folding = Folding(database, settings.ledger_names_months)
    try:
        async with _at_work(services, made, (lookout.run, collector.run, folding.run)):
            yield
    finally:
        app.state.readings = None
        threads.shutdown(cancel_futures=True)
        looking.shutdown(cancel_futures=True)


@asynccontextmanager
async def _at_work(
    services: Services, executor: Executor, more: Sequence[Chore]
) -> AsyncIterator[None]:
    """Start what works by itself, each after what it needs; stop it in the opposite order."""
    people, runs = services.identity.people, services.runs
    await services.audit.start()
    services.usage.start()
    await people.start()
    await services.volumes.start()
    await runs.start()
    barring = runs.stop_suspended(people.changes())
    running = (barring, *(chore() for chore in more))
    chores = [asyncio.create_task(each) for each in running]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
        services.readings.end()
        people.stop()
        await runs.stop()
        await services.volumes.close()
        await executor.close()
        await services.usage.stop()
        await services.audit.stop()


def _volumes(
    settings: Settings, database: Database, shelf: Shelf, threads: ThreadPoolExecutor
) -> Volumes:
    cache, decoding = ChunkCache(settings.chunk_cache_bytes), Window(settings.threads)
    is_encrypted = settings.encrypted_at_rest
    return Volumes(
        database, shelf, cache, threads, settings.credit_bytes, decoding, is_encrypted=is_encrypted
    )


def _shelf(settings: Settings, threads: ThreadPoolExecutor, told: Summary) -> Shelf:
    area = StagingArea(
        settings.data_dir / "volumes", settings.staging_quota_bytes, settings.disk_reserve_bytes
    )
    holdings = Holdings(settings.staging_bytes_each)

    def removed(volume: str) -> None:
        told.note(Entry("volume.removed", BACKEND, thing=volume))

    return Shelf(area, threads, settings.stream_bytes, holdings=holdings, on_removed=removed)


def _admission(
    database: Database, settings: Settings, identities: Sequence[Identity], refused: Summary
) -> Admission:
    own = ApiTokens(database, settings.token_life_days, settings.token_groups_days)
    # Their form tells our own tokens from all others: nobody else is shown them.
    return Admission(Chain([own, *identities]), People(database), own, refused)


def _dispatcher(given: _Given, settings: Settings) -> Dispatcher:
    patience, cap = Patience(total_s=settings.engine_patience_s), settings.interactive_cap
    return Dispatcher(given.engine, settings.engine_timeout_s, patience, cap, given.watch)


def _local(worker: BlockWorker, settings: Settings) -> Executor:
    """Return the executor of this process, whose places are shared by those who use them."""
    slots = settings.tiles_in_flight
    queue: TwoClasses[Ticket] = TwoClasses(
        settings.interactive_cap, evenly=True, most_voxels=settings.voxels_in_flight
    )
    return LocalExecutor(worker, slots, queue, math.ceil(SPARE * slots))


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
