"""Opening the database: SQLite settings, and migrations up to the version of this code."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent.parent / "alembic"
BUSY_TIMEOUT_MS = 10_000
IDLE_MS = 10_000  # for longer no transaction of a process that was stalled holds up the others
MIGRATING = 0x686D7A  # the number of a lock in PostgreSQL that nobody else uses


def open_database(address: str) -> Engine:
    """Open the database at a SQLAlchemy address and migrate it; its folder is made if need be."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, hide_parameters=True)  # errors are logged
        event.listen(engine, "connect", _tune_sqlite)
    else:
        options = {"options": f"-c idle_in_transaction_session_timeout={IDLE_MS}"}
        engine = create_engine(url, connect_args=options, pool_pre_ping=True, hide_parameters=True)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest version."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        _alone(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def table_version(connection: Connection) -> str | None:
    """Return of which version the tables are; none: there are none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def _alone(connection: Connection) -> None:
    """Let one process migrate at a time; those that start with it wait, and find it done."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))


def _tune_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Let readers go on while one writes; not even a loss of power takes what is committed."""
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
