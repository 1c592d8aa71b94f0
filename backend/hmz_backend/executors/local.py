"""The executor of this process: tasks of the event loop, a stated number at once.

What a task does is one coroutine function, given at start; its heavy parts run in threads. The
places are shared evenly among the principals who have something to do; a few more are kept for
those who hold none, so that nobody waits for another one's tile to end before theirs is even read.
"""

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import cache, partial

from hmz_backend.executors.protocol import BlockTask, Outcome, Ticket
from hmz_backend.shares.fair_queue import Entry
from hmz_backend.shares.turn import Share
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.watch.about import about
from napari_hmz.errors import HmzError, InternalError

log = logging.getLogger(__name__)
Work = Callable[[BlockTask], Awaitable[str]]
REMEMBERED = 1_000  # outcomes that can still be asked for: drivers ask when a task has ended


@dataclass
class LocalExecutor:
    """Runs tasks here.

    Parameters
    ----------
    work
        Does one task, and returns its receipt; what it raises becomes the task's outcome.
    slots
        How many tasks are under way at once: this bounds the tiles in memory.
    queue
        Who waits.
    spare
        How many places there are beyond `slots`, for those who hold none.
    """

    work: Work
    slots: int
    queue: TwoClasses[Ticket] = field(default_factory=lambda: TwoClasses(evenly=True))
    spare: int = 0
    _entries: dict[Ticket, Entry[Ticket]] = field(default_factory=dict)
    _tasks: dict[Ticket, BlockTask] = field(default_factory=dict)
    _contexts: dict[Ticket, Context] = field(default_factory=dict)
    _under_way: "dict[Ticket, asyncio.Task[Outcome]]" = field(default_factory=dict)
    _ends: "dict[Ticket, asyncio.Future[Outcome]]" = field(default_factory=dict)
    _outcomes: OrderedDict[Ticket, Outcome] = field(default_factory=OrderedDict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def submit(self, task: BlockTask) -> Ticket:
        """Take a task; it starts when a place is free and it is its turn."""
        number = next(self._numbers)
        ticket = Ticket(f"{task.run}/{task.block}/{number}")
        self._tasks[ticket] = task
        self._contexts[ticket] = copy_context()  # it begins when somebody else's task has ended
        self._ends[ticket] = asyncio.get_running_loop().create_future()
        self._entries[ticket] = self.queue.push(task.turn, ticket)
        self._start()
        return ticket

    async def poll(
        self, tickets: Sequence[Ticket], *, timeout_s: float
    ) -> Mapping[Ticket, Outcome]:
        """Return one outcome per ticket, waiting up to `timeout_s` for one of them to end."""
        ends = [self._ends[ticket] for ticket in tickets if ticket in self._ends]
        if len(ends) == len(tickets) and ends:
            await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        ahead = cache(self.queue.ahead)  # the same for all tasks of a share: counted once
        return {ticket: self._outcome(ticket, ahead) for ticket in tickets}

    async def cancel(self, ticket: Ticket) -> None:
        """Stop a task, and wait until it has stopped."""
        running = self._under_way.get(ticket)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        elif self._tasks.pop(ticket, None) is not None:
            del self._contexts[ticket]
            self.queue.remove(self._entries.pop(ticket))
            self._end(ticket, Outcome("cancelled"))

    async def close(self) -> None:
        """Cancel everything."""
        for ticket in [*self._tasks, *self._under_way]:
            await self.cancel(ticket)

    def _outcome(self, ticket: Ticket, ahead: Callable[[Share], int]) -> Outcome:
        if ticket in self._under_way:
            return Outcome("running")
        if (task := self._tasks.get(ticket)) is not None:
            return Outcome("waiting", ahead=ahead(task.turn.share))
        return self._outcomes.get(ticket, Outcome("lost"))

    def _start(self) -> None:
        while (ticket := self._next()) is not None:
            del self._entries[ticket]
            task = self._tasks.pop(ticket)
            begun = self._under_way[ticket] = asyncio.create_task(
                self._run(task), context=self._contexts.pop(ticket)
            )
            begun.add_done_callback(partial(self._ended, ticket, task))

    def _next(self) -> Ticket | None:
        """Return whose turn it is, if there is a place."""
        room = self.slots - len(self._under_way)
        entry = self.queue.pop(idle_only=room <= 0) if room + self.spare > 0 else None
        return None if entry is None else entry.item

    async def _run(self, task: BlockTask) -> Outcome:
        with about(run=task.run, block=task.block):
            return await self._tried(task)

    async def _tried(self, task: BlockTask) -> Outcome:
        try:
            receipt = await self.work(task)
        except HmzError as error:
            return Outcome("failed", error)
        except Exception:  # a bug in one block ends its run, not the backend
            log.exception("a block failed unexpectedly")
            return Outcome("failed", InternalError("A block of the run failed unexpectedly."))
        return Outcome("done", receipt=receipt)

    def _ended(self, ticket: Ticket, task: BlockTask, ended: "asyncio.Task[Outcome]") -> None:
        """Give a place on; also that of a task that was cancelled before its first step."""
        del self._under_way[ticket]
        self.queue.release(task.turn)
        self._end(ticket, Outcome("cancelled") if ended.cancelled() else ended.result())
        self._start()

    def _end(self, ticket: Ticket, outcome: Outcome) -> None:
        self._outcomes[ticket] = outcome
        while len(self._outcomes) > REMEMBERED:
            self._outcomes.popitem(last=False)
        end = self._ends.pop(ticket)
        if not end.done():
            end.set_result(outcome)
