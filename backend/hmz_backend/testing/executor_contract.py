"""What every executor must do, as tests: derive from `ExecutorContract`, say how to open yours."""
# ruff: noqa: ARG001, D102 # checks share one signature; a test's name is its sentence

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from hmz_backend.executors.protocol import BlockTask, Executor, Ticket
from hmz_backend.shares.turn import Share, Turn
from napari_hmz.errors import EngineFailed, InternalError

WAIT_S = 10.0


class Work:
    """What the tasks of the contract do: block 13 fails, 14 breaks, 15 waits until `release`."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.release = asyncio.Event()

    async def __call__(self, task: BlockTask) -> str:
        """Do one task; return its receipt."""
        self.begun.append(task.block)
        if task.block == 13:
            raise EngineFailed("unlucky")
        if task.block == 14:
            raise ZeroDivisionError
        if task.block == 15:
            await self.release.wait()
        await asyncio.sleep(0)
        self.ended.append(task.block)
        return f"receipt of {task.block}"


class ExecutorContract:
    """Derive, name the class `Test...`, and override `opened`: two tasks at once."""

    def opened(self, work: Work) -> AbstractAsyncContextManager[Executor]:
        """Return a context that gives the executor, which does `work`."""
        raise NotImplementedError

    def run(self, check: Callable[[Executor, Work], Awaitable[None]]) -> None:
        """Run a check in an event loop of its own."""

        async def inside() -> None:
            work = Work()
            async with asyncio.timeout(WAIT_S), self.opened(work) as executor:
                await check(executor, work)

        asyncio.run(inside())

    def test_a_task_is_done_and_its_outcome_stays_known(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            ticket = await executor.submit(BlockTask("r", 1))
            assert await ends(executor, ticket) == "done"
            assert await ends(executor, ticket) == "done"
            assert (await executor.poll([ticket], timeout_s=0))[ticket].receipt == "receipt of 1"
            assert work.ended == [1]

        self.run(check)

    def test_an_error_of_ours_comes_back_and_any_other_stays_here(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            tickets = [await executor.submit(BlockTask("r", block)) for block in (13, 14)]
            for ticket, kind in zip(tickets, (EngineFailed, InternalError), strict=True):
                await ends(executor, ticket)
                outcome = (await executor.poll([ticket], timeout_s=0))[ticket]
                assert outcome.phase == "failed"
                assert isinstance(outcome.error, kind)
                assert "Zero" not in str(outcome.error)

        self.run(check)

    def test_an_unknown_ticket_is_lost_and_hides_no_other(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            known = await executor.submit(BlockTask("r", 1))
            await ends(executor, known)
            unknown = Ticket("nobody's")
            outcomes = await executor.poll([unknown, known], timeout_s=WAIT_S)
            assert {t: o.phase for t, o in outcomes.items()} == {unknown: "lost", known: "done"}

        self.run(check)

    def test_polling_waits_for_one_and_no_longer_than_told(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            slow = await executor.submit(BlockTask("r", 15))
            quick = await executor.submit(BlockTask("r", 1))
            await ends(executor, quick)
            outcomes = await executor.poll([slow], timeout_s=0.01)
            assert outcomes[slow].phase == "running"
            work.release.set()
            assert await ends(executor, slow) == "done"

        self.run(check)

    def test_the_most_urgent_goes_first(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            blockers = [await executor.submit(BlockTask("r", 15)) for _ in range(2)]
            order = ((1, (5,)), (2, (0,)), (3, (5,)), (4, (0,)))
            tasks = [BlockTask("r", block, Turn(order=place)) for block, place in order]
            tickets = [await executor.submit(task) for task in tasks]
            await executor.poll(blockers, timeout_s=0.01)
            work.release.set()
            for ticket in tickets:
                await ends(executor, ticket)
            assert [block for block in work.begun if block != 15] == [2, 4, 1, 3]

        self.run(check)

    def test_cancelled_tasks_stop_or_never_begin(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            running = [await executor.submit(BlockTask("r", 15)) for _ in range(2)]
            waiting = await executor.submit(BlockTask("r", 2))
            await executor.poll(running, timeout_s=0.01)
            await executor.cancel(waiting)
            await executor.cancel(running[0])
            assert await ends(executor, waiting) == "cancelled"
            assert await ends(executor, running[0]) == "cancelled"
            work.release.set()
            assert await ends(executor, running[1]) == "done"
            assert work.ended == [15]
            await executor.cancel(running[0])
            await executor.cancel(Ticket("nobody's"))

        self.run(check)

    def test_a_task_that_is_cancelled_before_its_first_step_gives_its_place_back(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            for _ in range(2):
                await executor.cancel(await executor.submit(BlockTask("r", 15)))
            assert await ends(executor, await executor.submit(BlockTask("r", 1))) == "done"

        self.run(check)

    def test_nobody_waits_for_all_tiles_of_another(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            blockers = [await executor.submit(BlockTask("r", 15)) for _ in range(2)]
            many = [await executor.submit(BlockTask("r", 100 + n, turn("many"))) for n in range(9)]
            few = await executor.submit(BlockTask("s", 1, turn("few")))
            await executor.poll(blockers, timeout_s=0.01)
            work.release.set()
            await ends(executor, few)
            assert sum(block >= 100 for block in work.begun) <= 3
            for ticket in many:
                assert await ends(executor, ticket) == "done"

        self.run(check)

    def test_closing_cancels_everything(self) -> None:
        async def check(executor: Executor, work: Work) -> None:
            for block in (15, 15, 1, 2):
                await executor.submit(BlockTask("r", block))
            await asyncio.sleep(0.01)
            await executor.close()
            work.release.set()
            await asyncio.sleep(0.01)
            assert work.ended == []

        self.run(check)


def turn(subject: str) -> Turn:
    """Return the turn of a tile of somebody."""
    return Turn(Share(("local", subject)))


async def ends(executor: Executor, ticket: Ticket) -> str:
    """Return the phase in which a task ends."""
    while True:
        outcome = (await executor.poll([ticket], timeout_s=WAIT_S))[ticket]
        if outcome.phase not in ("waiting", "running"):
            return outcome.phase
