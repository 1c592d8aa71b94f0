"""The executor of this process: tasks of the event loop, a stated number at once.

What a task does is one coroutine function, given at start; its heavy parts run in threads.
"""

import asyncio
import heapq
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hmz_backend.executors.protocol import BlockTask, Outcome, Ticket
from napari_hmz.errors import HmzError, InternalError

log = logging.getLogger(__name__)
Work = Callable[[BlockTask], Awaitable[None]]
REMEMBERED = 10_000  # outcomes of ended tasks that can still be asked for


@dataclass
class LocalExecutor:
    """Runs tasks here.

    Parameters
    ----------
    work
        Does one task; what it raises becomes the task's outcome.
    slots
        How many tasks are under way at once: this bounds the tiles in memory.
    """

    work: Work
    slots: int
    _queue: list[tuple[tuple[int, ...], int, Ticket]] = field(default_factory=list)
    _tasks: dict[Ticket, BlockTask] = field(default_factory=dict)
    _under_way: "dict[Ticket, asyncio.Task[None]]" = field(default_factory=dict)
    _ends: "dict[Ticket, asyncio.Future[Outcome]]" = field(default_factory=dict)
    _outcomes: OrderedDict[Ticket, Outcome] = field(default_factory=OrderedDict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def submit(self, task: BlockTask) -> Ticket:
        """Take a task; it starts when a slot is free and nothing is more urgent."""
        number = next(self._numbers)
        ticket = Ticket(f"{task.run}/{task.block}/{number}")
        self._tasks[ticket] = task
        self._ends[ticket] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (task.priority, number, ticket))
        self._start()
        return ticket

    async def poll(
        self, tickets: Sequence[Ticket], *, timeout_s: float
    ) -> Mapping[Ticket, Outcome]:
        """Return one outcome per ticket, waiting up to `timeout_s` for one of them to end."""
        ends = [self._ends[ticket] for ticket in tickets if ticket in self._ends]
        if len(ends) == len(tickets) and ends:
            await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return {ticket: self._outcome(ticket) for ticket in tickets}

    async def cancel(self, ticket: Ticket) -> None:
        """Stop a task, and wait until it has stopped."""
        running = self._under_way.get(ticket)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        elif self._tasks.pop(ticket, None) is not None:
            self._end(ticket, Outcome("cancelled"))

    async def close(self) -> None:
        """Cancel everything."""
        for ticket in [*self._tasks, *self._under_way]:
            await self.cancel(ticket)

    def _outcome(self, ticket: Ticket) -> Outcome:
        if ticket in self._under_way:
            return Outcome("running")
        if ticket in self._tasks:
            return Outcome("waiting")
        return self._outcomes.get(ticket, Outcome("lost"))

    def _start(self) -> None:
        while self._queue and len(self._under_way) < self.slots:
            ticket = heapq.heappop(self._queue)[2]
            task = self._tasks.pop(ticket, None)
            if task is not None:  # else it was cancelled while it waited
                self._under_way[ticket] = asyncio.create_task(self._run(ticket, task))

    async def _run(self, ticket: Ticket, task: BlockTask) -> None:
        outcome = Outcome("cancelled")
        try:
            await self.work(task)
            outcome = Outcome("done")
        except HmzError as error:
            outcome = Outcome("failed", error)
        except Exception:  # a bug in one block ends its run, not the backend
            log.exception("block %d of run %s", task.block, task.run)
            outcome = Outcome("failed", InternalError("A block of the run failed unexpectedly."))
        finally:
            del self._under_way[ticket]
            self._end(ticket, outcome)
            self._start()

    def _end(self, ticket: Ticket, outcome: Outcome) -> None:
        self._outcomes[ticket] = outcome
        while len(self._outcomes) > REMEMBERED:
            self._outcomes.popitem(last=False)
        end = self._ends.pop(ticket)
        if not end.done():
            end.set_result(outcome)
