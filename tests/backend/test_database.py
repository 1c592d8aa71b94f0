import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from hmz_backend.database.access import Database
from hmz_backend.database.connection import open_database
from hmz_backend.database.tables import Base, SpeedRow
from hmz_backend.database.writer import Operation
from napari_hmz.errors import DiskFull


def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'deeper' / 'test.sqlite'}"


def test_the_migrations_make_the_tables_that_the_code_has(tmp_path: Path) -> None:
    engine = open_database(address(tmp_path))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("pragma journal_mode")).scalar() == "wal"
        assert connection.execute(text("pragma foreign_keys")).scalar() == 1
        assert connection.execute(text("pragma synchronous")).scalar() == 2, "commits may be lost"
    engine.dispose()
    again = open_database(address(tmp_path))  # a second start finds nothing to do
    again.dispose()


def adding(model: str) -> Operation:
    def add(connection: Connection) -> None:
        row = {"model": model, "version": "1", "voxels": 1, "seconds": 1.0}
        connection.execute(insert(SpeedRow).values(**row))

    return add


def test_writes_are_gathered_kept_in_order_and_fail_alone(tmp_path: Path) -> None:
    async def check() -> None:
        database = Database.open(address(tmp_path))
        writes = [database.write(adding(f"m{number % 299}")) for number in range(300)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        failed = [number for number, result in enumerate(results) if result is not None]
        assert failed == [299]
        assert isinstance(results[299], IntegrityError)
        found = await database.read(lambda c: c.execute(select(SpeedRow.model)).scalars().all())
        assert len(found) == 299
        database.close()

    asyncio.run(check())


def test_few_commits_carry_many_writes(tmp_path: Path) -> None:
    async def check() -> None:
        database = Database.open(address(tmp_path))
        begun = 0
        inner = database.engine.begin

        def counted() -> object:
            nonlocal begun
            begun += 1
            return inner()

        database.engine.begin = counted  # type: ignore[method-assign,assignment] # counts

        await asyncio.gather(*(database.write(adding(f"m{number}")) for number in range(400)))
        assert begun < 40
        database.close()

    asyncio.run(check())


def test_a_full_disk_is_said_as_such(tmp_path: Path) -> None:
    async def check() -> None:
        database = Database.open(address(tmp_path))

        def full(connection: Connection) -> None:
            fault = sqlite3.OperationalError("database or disk is full")
            raise OperationalError("insert", {}, fault)

        with pytest.raises(DiskFull):
            await database.write(full)
        database.close()

    asyncio.run(check())
