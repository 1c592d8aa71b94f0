import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from hmz_backend.database.access import Database
from hmz_backend.database.tables import RunRow, VolumeRow
from hmz_backend.runs.log import RunLog, follow
from napari_hmz.schema import StateChanged

RUN = "r"


def test_an_end_that_was_taken_back_is_none_for_who_listens_then(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'db.sqlite'}")

    async def heard() -> list[str]:
        await database.write(add_run)
        log, kinds = RunLog(RUN, database), list[str]()
        await end(log)
        log.begun_after = log.number  # a restart looks at the run again
        async for event in follow(log, 0, silence_s=0.05):
            kinds.append("silence" if event is None else event[1])
            if event is None:
                await end(log)
        return kinds

    try:
        found = asyncio.run(heard())
    finally:
        database.close()
    assert found == ["silence", "state"]


def test_an_event_whose_writer_is_cancelled_is_heard_if_it_was_written(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'db.sqlite'}")
    begun, may_end = threading.Event(), threading.Event()

    def slow(_: Connection) -> None:
        begun.set()
        may_end.wait(10)

    def queued(number: int) -> StateChanged:
        return StateChanged(number=number, state="queued")

    async def heard() -> list[int]:
        await database.write(add_run)
        log = RunLog(RUN, database)
        await log.append([queued])
        writing = asyncio.create_task(log.append([queued], slow))
        await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await log.append([queued])
        return [number for number, _ in await log.after(0)]

    try:
        assert asyncio.run(heard()) == [1, 2, 3]
    finally:
        database.close()


def add_run(connection: Connection) -> None:
    volume = {"id": "v", "issuer": "i", "subject": "s", "fingerprint": "f"}
    connection.execute(insert(VolumeRow).values(**volume, request="{}", created_at="now"))
    run = {"id": RUN, "issuer": "i", "subject": "s", "volume": "v", "state": "done"}
    texts = dict.fromkeys(("request", "plan", "provenance", "results", "created_at"), "{}")
    connection.execute(insert(RunRow).values(**run, **texts))


async def end(log: RunLog) -> None:
    await log.append([lambda number: StateChanged(number=number, state="done")])
