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


def journal() -> Journal:
    job = SimpleNamespace(
        brief=SimpleNamespace(plan=SimpleNamespace(blocks=1)),
        works={"labels": None, "blend": None},
        block=lambda number: number,
        voxels=lambda number: 1,
        key=lambda name, block: "c/0",
        region=lambda name, block: {},
        drop_receipts=lambda numbers: None,
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
