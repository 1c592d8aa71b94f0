"""The work of one block task: read the tile, have it computed, keep what it gives.

A coroutine of the event loop; reading and keeping run in threads, computing in the engine.
"""

from collections.abc import Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field

from hmz_backend.dispatch.dispatcher import Computed, Dispatcher
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.executors.protocol import BlockTask
from hmz_backend.planning import Block
from hmz_backend.runs.feed import FeedBroken
from hmz_backend.runs.job import Job
from hmz_backend.runs.receipt import Receipt
from hmz_backend.runs.threads import in_thread
from hmz_backend.shares.turn import Turn
from napari_hmz.errors import EngineFailed


@dataclass
class BlockWorker:
    """Does block tasks of the jobs that have been entered.

    Parameters
    ----------
    dispatcher
        The way to the engine.
    threads
        Where reading and keeping run.
    jobs
        By run id; the service enters and removes them.
    """

    dispatcher: Dispatcher
    threads: Threads
    jobs: dict[str, Job] = field(default_factory=dict)

    async def __call__(self, task: BlockTask) -> str:
        """Do one task; return its receipt, which speaks of what it left in the run's folder."""
        traces = self.dispatcher.watch.traces
        with traces.span("block", hmz__run=task.run, hmz__block=task.block):
            receipt = await self._do(task)
        return receipt.model_dump_json()

    async def _do(self, task: BlockTask) -> Receipt:
        job = self.jobs[task.run]
        block = job.block(task.block)
        try:
            request = await in_thread(self.threads, job.tile, block)
        except FeedBroken as error:
            return Receipt(block=task.block, broken=error.key, broken_input=error.number)
        computed = await self._compute(job, request, task.turn, block)
        _check(job, computed.outputs)
        return await in_thread(self.threads, job.keep, block, computed.outputs, computed.engine_s)

    async def _compute(self, job: Job, request: TileRequest, turn: Turn, block: Block) -> Computed:
        blank = None
        if job.blanks.declared:
            blank = await in_thread(self.threads, job.blanks.recognise, request)
        known = None if blank is None else job.blanks.results(blank)
        if known is not None:
            computed = Computed(known, 0.0)
        else:
            computed = await self.dispatcher.infer(request, turn)
            if blank is not None:
                job.blanks.learn(blank, computed.outputs)
        if blank is not None:
            job.learn_outline(block, blank)
        return computed


def _check(job: Job, results: Mapping[str, object]) -> None:
    missing = [name for name in job.works if name not in results]
    if missing:
        raise EngineFailed(f"The model gave no output {', '.join(missing)}.")
