"""The lease: one process has it at a time, and one that has lost it writes nothing."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine, select, update

from hmz_backend.database import lease
from hmz_backend.database.access import Database, Guard
from hmz_backend.database.connection import open_database
from hmz_backend.database.lease import LeaseLost
from hmz_backend.database.tables import LeaseRow, SpeedRow
from hmz_backend.peers.run_root import next_term, take_over
from hmz_backend.runs import records
from hmz_backend.testing.postgres import fresh_database

T = TypeVar("T")
HERE, THERE = "http://127.0.0.1:1", "http://127.0.0.1:2"


@pytest.fixture
def opened(postgres_server: str) -> Iterator[Engine]:
    with fresh_database(postgres_server) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


def done(engine: Engine, operation: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return operation(connection)


def acquire(engine: Engine, address: str, least_term: int = 0) -> int | None:
    return done(engine, lambda c: lease.acquire(c, address, least_term))


def test_one_at_a_time_has_it(opened: Engine) -> None:
    assert done(opened, lease.look) is None
    assert acquire(opened, HERE) == 1
    assert acquire(opened, THERE) is None
    standing = done(opened, lease.look)
    assert standing is not None
    assert (standing.term, standing.address) == (1, HERE)
    assert 0 < standing.left_s <= lease.LEASE_S


def test_it_is_free_once_released_run_out_or_held_by_who_was_at_this_address(
    opened: Engine,
) -> None:
    assert acquire(opened, HERE) == 1
    done(opened, lambda c: lease.release(c, 1))
    assert acquire(opened, THERE) == 2
    assert acquire(opened, THERE) == 3  # restarted after a crash
    done(opened, lambda c: c.execute(update(LeaseRow).values(ends_at_s=0.0)))
    assert acquire(opened, HERE, least_term=8) == 8


def test_who_has_lost_it_neither_renews_nor_releases_it(opened: Engine) -> None:
    acquire(opened, HERE)
    done(opened, lambda c: lease.renew(c, 1))
    acquire(opened, HERE)
    with pytest.raises(LeaseLost):
        done(opened, lambda c: lease.renew(c, 1))
    done(opened, lambda c: lease.release(c, 1))
    assert acquire(opened, THERE) is None


def test_a_write_of_who_has_lost_it_leaves_nothing(opened: Engine) -> None:
    acquire(opened, HERE)

    async def write() -> None:
        database = Database.open(opened.url.render_as_string(hide_password=False))
        try:
            guarded = database.guarded(Guard(lambda c: lease.check(c, 1), lambda: None))
            await guarded.write(lambda c: records.add_speed(c, "m", "1", 1, 1.0))
            acquire(opened, HERE)
            with pytest.raises(LeaseLost):
                await guarded.write(lambda c: records.add_speed(c, "m", "1", 1, 1.0))
        finally:
            database.close()

    asyncio.run(write())
    assert done(opened, lambda c: c.execute(select(SpeedRow.voxels)).scalars().all()) == [1]


def test_the_folder_of_runs_goes_from_leader_to_leader(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)  # from before there was a lease
    assert next_term(tmp_path) == 1
    first = take_over(tmp_path, 1)
    assert (first / "a").is_dir()
    second = take_over(tmp_path, 4)
    assert (second / "a").is_dir()
    assert next_term(tmp_path) == 5
    (first / "a" / "late").mkdir(parents=True)  # by the first one, which was stalled
    third = take_over(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == [third.name]
    assert list(third.rglob("late")) == []
    with pytest.raises(LeaseLost):
        take_over(tmp_path, 3)
