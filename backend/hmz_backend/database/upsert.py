"""Inserting what may be there already, on both databases: each has a statement of its own."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from hmz_backend.database.tables import Base

Upsert = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: type[Base]) -> Any:  # noqa: ANN401 # two unrelated types
    """Return an INSERT of this database that has `on_conflict_do_update` and `..._nothing`."""
    is_sqlite = connection.dialect.name == "sqlite"
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


def insert_if_absent(connection: Connection, table: type[Base]) -> Any:  # noqa: ANN401 # as above
    """Return an INSERT that leaves a row with the same key as it is."""
    return upsert(connection, table).on_conflict_do_nothing()
