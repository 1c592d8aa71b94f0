"""The database: a kind that is known, reachable, and with tables of a version that is known."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.patience import ANSWER_S
from hmz_backend.database.connection import MIGRATIONS, table_version
from hmz_backend.settings import Settings

POSTGRESQL: Final = "postgresql+psycopg"
DRIVERS: Final = {"sqlite", "sqlite+pysqlite", POSTGRESQL}
FORM: Final = f"Write {POSTGRESQL}://USER@HOST/NAME, or leave database_url out."
MEND: Final = "Look whether it runs, and whether host, name, user and password are right."


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """Looks at the database without changing it."""

    settings: Settings
    subject: str = "database"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with it."""
        try:
            url = make_url(self.settings.database_address)
        except ArgumentError:
            return [wrong("database_url is no database address.", FORM)]
        if url.drivername not in DRIVERS:
            return [wrong(f"The backend does not run on {url.drivername}.", FORM)]
        if not is_there(url):
            return [ok(f"It is made at the first start: {url.database}.")]
        try:
            with connected(url) as connection:
                return list(_look_at(connection))
        except DBAPIError as error:
            return [wrong(f"The database cannot be used: {reason(error)}.", MEND)]


def is_there(url: URL) -> bool:
    """Return whether there is a database to look at; a SQLite file may not have been made yet."""
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Yield a connection, for reading."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def reason(error: DBAPIError) -> str:
    """Return the first line of what the database says."""
    lines = str(error.orig).strip().splitlines() or ["it does not say why"]
    return lines[0].rstrip(".")


def _engine(url: URL) -> Engine:
    waiting: dict[str, Any] = {"connect_timeout": round(ANSWER_S)}
    if url.get_backend_name() != "sqlite":
        return create_engine(url, connect_args=waiting)
    path = Path(url.database or "").absolute()
    # Where nobody has it open, no files of ours may stay: the backend could not write them.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    read_only = url.set(database=f"{path.as_uri()}?{how}", query={"uri": "true"})
    return create_engine(read_only, connect_args={"timeout": ANSWER_S})


def _look_at(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name == "postgresql":
        yield from _postgresql(connection)
    script = ScriptDirectory(str(MIGRATIONS))
    newest = script.get_current_head()
    current = table_version(connection)
    if current == newest:
        yield ok(f"{connection.dialect.name} is reachable, its tables are of version {newest}.")
    elif current is None:
        yield ok(f"{connection.dialect.name} is reachable; tables are made at the first start.")
    else:
        yield _other_version(script, current, newest)


def _other_version(script: ScriptDirectory, current: str, newest: str | None) -> Finding:
    try:
        script.get_revision(current)
    except CommandError:
        return wrong(
            f"Its tables are of version {current}, which a newer backend has made.",
            "Install that version of napari-hmz, or restore the copy from before.",
        )
    return warning(
        f"Its tables are of version {current}, this backend's are of {newest}.",
        "Save a copy; then `hmz-backend db upgrade`, or the next start, brings them up.",
    )


def _postgresql(connection: Connection) -> Iterator[Finding]:
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        yield wrong(f"The database's encoding is {encoding}.", "Make one with ENCODING 'UTF8'.")
    if connection.scalar(text("SHOW transaction_read_only")) == "on":
        yield wrong("The database is read-only (a standby?).", "Name the primary server.")
    schema = connection.scalar(text("SELECT current_schema()"))
    may = schema and connection.scalar(
        text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
    )
    if not may:
        yield wrong(
            f"The database's user may not make tables in the schema {schema or 'public'}.",
            "As the database's owner: GRANT CREATE, USAGE ON SCHEMA public TO that user.",
        )
