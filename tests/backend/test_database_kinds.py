"""What tables and runs need of a database, on both kinds of it."""

from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, inspect

from hmz_backend.database.connection import MIGRATIONS, open_database
from hmz_backend.database.tables import Base
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.schema import wire


def test_the_migrations_make_the_tables_that_the_code_has(database_url: str) -> None:
    for _ in range(2):  # a second start finds nothing to do
        engine = open_database(database_url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, Base.metadata) == []
        engine.dispose()


def test_each_version_is_left_upwards_and_downwards(database_url: str) -> None:
    open_database(database_url).dispose()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        config = migrations(connection)
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(config, "head")
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


VERSIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_in_the_tables_of_any_version_is_there_in_those_of_the_newest(
    tmp_path: Path, database_url: str, version: str
) -> None:
    (tmp_path / "deeper").mkdir()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(migrations(connection), version)
        before = filled(connection)
    engine.dispose()
    opened = open_database(database_url)
    with opened.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        tables = MetaData()
        tables.reflect(connection)
        for name, row in before.items():
            found = connection.execute(tables.tables[name].select()).mappings().all()
            assert [{key: one[key] for key in row} for one in found] == [row]
    opened.dispose()


def migrations(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def filled(connection: Connection) -> dict[str, dict[str, object]]:
    """Put a row into every table, and return all rows by table."""
    tables = MetaData()
    tables.reflect(connection)
    rows: dict[str, dict[str, object]] = {}
    for table in tables.sorted_tables:
        if connection.execute(table.select()).first() is None:
            row = {column.name: SAMPLES[column.type.python_type] for column in table.columns}
            connection.execute(table.insert().values(**row))
        rows[table.name] = dict(connection.execute(table.select()).mappings().one())
    del rows["alembic_version"]
    return rows


SAMPLES: dict[type, object] = {str: "some", int: 7, float: 0.5, bool: True}


def test_a_run_ends_and_is_found_again(
    tmp_path: Path, database_url: str, engine: FakeEngine
) -> None:
    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    changes = {"database_url": database_url}
    with LiveBackend(tmp_path, engine, CARDS, changes) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        run = user.start("components", key="k")
        user.finish(run.id)
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS, changes) as live, live.client() as http:
        found = http.get(wire.run(run.id)).json()
        assert found["state"] == "done"
        assert http.delete(wire.run(run.id)).status_code == 204
        assert http.get(wire.RUNS).json() == []
