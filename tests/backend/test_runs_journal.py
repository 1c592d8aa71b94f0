"""What the journal makes of blocks that are computed again."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from hmz_backend.runs.job import Job
from hmz_backend.runs.journal import Journal
from hmz_backend.runs.log import RunLog
from hmz_backend.runs.receipt import OutputReceipt, Receipt


class Log:
    """Takes what is written, and forgets it."""

    run = "run"

    async def append(self, *_: object) -> None:
        """Do nothing."""


async def at_once(work: Any, *args: object) -> Any:  # noqa: ANN401 # any function
    return work(*args)


def journal(blocks: int = 1) -> Journal:
    job = SimpleNamespace(
        brief=SimpleNamespace(plan=SimpleNamespace(blocks=blocks)),
        works=dict.fromkeys(("labels", "blend"), SimpleNamespace(told=lambda block, part: None)),
        block=lambda number: number,
        voxels=lambda number: 1,
        in_thread=at_once,
    )
    return Journal(cast(Job, job), cast(RunLog, Log()))


def test_a_final_chunk_that_was_overwritten_is_made_final_again() -> None:
    found = journal()
    for marks in found.marks.values():
        marks.final[0] = True
    parts = {
        "labels": OutputReceipt(digest="provisional", final=False),
        "blend": OutputReceipt(digest="", final=False, shown=False),
    }
    asyncio.run(found.computed([Receipt(block=0, outputs=parts)]))
    assert found.unfinal_blocks("labels") == [0]
    assert found.unfinal_blocks("blend") == []  # it only kept a tile for its neighbours
    assert found.is_computed


def test_a_block_is_done_once_in_all_outputs_and_counted_once() -> None:
    found = journal(blocks=3)
    part = OutputReceipt(digest="some", final=True)
    asyncio.run(found.settled("labels", {1: part}))
    assert (found.blocks_done, found.is_computed) == (0, False)
    whole = [Receipt(block=number, outputs={"labels": part, "blend": part}) for number in (1, 2)]
    asyncio.run(found.computed(whole))
    asyncio.run(found.computed(whole))  # a block may be computed again
    assert found.pending().tolist() == [True, False, False]
    assert (found.blocks_done, found.is_computed) == (2, False)
    asyncio.run(found.computed([whole[0].model_copy(update={"block": 0})]))
    assert (found.blocks_done, found.is_computed) == (3, True)


def test_who_asks_what_is_pending_may_change_the_answer() -> None:
    found = journal()
    found.pending()[0] = False
    assert found.pending().tolist() == [True]


def test_a_restart_counts_a_block_whose_files_are_gone_as_pending() -> None:
    found = journal(blocks=3)
    kept = SimpleNamespace(intact=lambda block, part: block != 1, needs=lambda block: ())
    cast(dict[str, Any], found.job.works).update(labels=kept, blend=kept)
    rows = [(name, block, "some", 0, True) for name in ("labels", "blend") for block in (0, 1)]
    found._forget(found._restore(rows))
    assert found.pending().tolist() == [False, True, True]
    assert (found.blocks_done, found.voxels_done) == (1, 1)
