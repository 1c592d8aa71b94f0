"""What tables and runs need of a database, on both kinds of it."""

from pathlib import Path

import numpy as np
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

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
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        command.upgrade(config, "head")
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


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
