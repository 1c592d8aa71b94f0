"""What every run is driven with: the parts of the backend, chosen at start."""

from collections.abc import Callable
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from hmz_backend.database.access import Database
from hmz_backend.dispatch.dispatcher import Dispatcher
from hmz_backend.dispatch.weights import Weights
from hmz_backend.executors.protocol import Executor
from hmz_backend.runs import threads as own_threads
from hmz_backend.runs.volumes import Volumes
from hmz_backend.usage.tally import Tally
from hmz_backend.watch.watch import Watch

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the backend that runs share.

    Parameters
    ----------
    database, volumes, dispatcher, executor, threads
        One of each.
    tiles_in_flight
        How many tiles the executor holds at once.
    computed_at_once
        How many of them the engine computes at the same time.
    weights
        How much of the capacity each principal gets.
    usage
        Counts what people use.
    watch
        Is told what is done.
    """

    database: Database
    volumes: Volumes
    dispatcher: Dispatcher
    executor: Executor
    threads: Threads
    tiles_in_flight: int
    computed_at_once: int
    weights: Weights
    usage: Tally
    watch: Watch = field(default_factory=Watch)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, from a thread of the backend's own."""
        return await own_threads.in_thread(self.threads, work, *args, **kwargs)
