"""`hmz-backend db upgrade`, on both kinds of database."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from typer.testing import CliRunner

from hmz_backend.cli import app
from hmz_backend.database.connection import MIGRATIONS

SHELL = CliRunner()


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Path:
    path = tmp_path / "backend.toml"
    path.write_text(f'database_url = "{database_url}"')
    return path


def upgraded(config: Path) -> str:
    done = SHELL.invoke(app, ["db", "upgrade", "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_tables_are_made_and_then_left_as_they_are(config: Path) -> None:
    assert "before: none" in upgraded(config)
    assert "already" in upgraded(config)


def test_older_tables_are_brought_up(config: Path, database_url: str) -> None:
    upgraded(config)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        settings = Config()
        settings.set_main_option("script_location", str(MIGRATIONS))
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0001")
    engine.dispose()
    assert "before: 0001" in upgraded(config)
    assert "already" in upgraded(config)
