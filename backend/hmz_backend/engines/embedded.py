"""The embedded engine: models in worker processes of the backend itself; needs no Triton.

The event loop only waits: each job is handed to a thread of a small pool, which speaks with one
worker process over a pipe. Idle workers stand in a queue, so waiting tiles can be cancelled; a tile
that a worker has begun is finished, and its result dropped. Made for one event loop.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hmz_backend.engines.protocol import Capacity, TileRequest
from hmz_backend.engines.words import tile_failed, words_of
from hmz_backend.engines.worker import Done, Job, Refused, main
from napari_hmz.errors import EngineBusy, EngineUnavailable

LOAD_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 5.0


class WorkerLost(Exception):
    """The worker process died, or did not answer in time and was ended."""


class Worker:
    """One worker process and the pipe to it; started at its first job, and again if it died."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._closed = False

    def call(self, job: Job, timeout_s: float) -> Done | Refused:
        """Do a job; blocks.

        Raises
        ------
        WorkerLost
            If the process died meanwhile, or had to be ended since it took longer than `timeout_s`.
        """
        process, connection = self._running()
        deadline = time.monotonic() + timeout_s
        try:
            connection.send(job)
            left_s = max(0.0, deadline - time.monotonic())
            # Ask the sentinel: it tells of the end before the process counts as ended.
            died = process.sentinel in wait([connection, process.sentinel], timeout=left_s)
            if connection.poll():
                answer: Done | Refused = connection.recv()
                return answer
        except (EOFError, OSError) as error:
            self.stop()
            raise WorkerLost("the worker process died") from error
        self.stop()
        raise WorkerLost("the worker process died" if died else f"no answer in {timeout_s:g} s")

    def _running(self) -> tuple[BaseProcess, Connection]:
        if self._process is not None and self._connection is not None and self._process.is_alive():
            return self._process, self._connection
        self.stop()
        if self._closed:
            raise WorkerLost("the engine was closed")
        context = multiprocessing.get_context(
            "spawn"
        )  # fork would copy the loop's threads and locks
        ours, theirs = context.Pipe()
        process = context.Process(target=main, args=(theirs, self._threads), daemon=True)
        process.start()
        theirs.close()
        self._process, self._connection = process, ours
        return process, ours

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """End the process, if there is one; the next job starts another."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join(STOP_TIMEOUT_S)


class EmbeddedEngine:
    """Runs model packages in worker processes; an `Engine`.

    Parameters
    ----------
    packages
        (model id, version) -> folder; looked up at every tile, so it may be alive.
    workers
        How many tiles are computed at the same time.
    threads
        Threads of one network.
    """

    def __init__(
        self, packages: Mapping[tuple[str, str], Path], *, workers: int, threads: int = 1
    ) -> None:
        self._packages = packages
        self._workers = [Worker(threads) for _ in range(workers)]
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="embedded-engine")
        self._closed = False

    async def describe(self, model: str, version: str) -> Capacity:
        """Load a model in one worker, and say how many tiles can run at once.

        Raises
        ------
        EngineUnavailable
            If the engine is closed, or the model unknown or broken.
        """
        job = Job(self._folder(model, version))
        result = await self._do(job, LOAD_TIMEOUT_S)
        if isinstance(result, Refused):
            raise EngineUnavailable(f"{model} {version} cannot be loaded: {result.cause}.")
        return Capacity(instances=len(self._workers), pool="workers")

    async def infer(
        self, request: TileRequest, *, timeout_s: float
    ) -> "Mapping[str, NDArray[Any]]":
        """Compute one tile.

        Raises
        ------
        EngineUnavailable
            If the engine is closed, or the model unknown or broken.
        EngineBusy
            If no worker was free in time, or the worker was lost.
        EngineFailed
            If the model failed on the tile.
        """
        folder = self._folder(request.model, request.version)
        job = Job(folder, dict(request.inputs), words_of(request))
        result = await self._do(job, timeout_s)
        if isinstance(result, Done):
            return result.outputs
        if result.broken:
            name = f"{request.model} {request.version}"
            raise EngineUnavailable(f"{name} cannot be loaded: {result.cause}.")
        raise tile_failed(request, result.tensor, result.cause)

    def _folder(self, model: str, version: str) -> Path:
        folder = self._packages.get((model, version))
        if self._closed:
            raise EngineUnavailable("The embedded engine is closed.")
        if folder is None:
            raise EngineUnavailable(f"The engine has no model {model} {version}.")
        return folder

    async def _do(self, job: Job, timeout_s: float) -> Done | Refused:
        deadline = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                worker = await self._idle.get()
        except TimeoutError as error:
            raise EngineBusy(f"No worker was free within {timeout_s:g} s.") from error
        if self._closed:
            self._idle.put_nowait(worker)  # the next in the queue is told as well
            raise EngineUnavailable("The embedded engine is closed.")
        left_s = max(0.0, deadline - time.monotonic())
        running = asyncio.get_running_loop().run_in_executor(self._pool, worker.call, job, left_s)
        running.add_done_callback(lambda done: self._free(worker, done))
        try:
            # Shielded: a worker that has begun is busy until it ends, whoever waits for it.
            return await asyncio.shield(running)
        except WorkerLost as error:
            raise EngineBusy(f"A tile was lost: {error}.") from error

    def _free(self, worker: Worker, done: "asyncio.Future[Done | Refused]") -> None:
        if not done.cancelled():
            done.exception()  # looked at, since whoever waited may have been cancelled
        self._idle.put_nowait(worker)

    async def close(self) -> None:
        """End all workers; tiles in the air are lost."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._stop)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.close()
        self._pool.shutdown(wait=True)
