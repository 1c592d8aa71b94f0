"""Inserting what may be there already, on both databases: each has a statement of its own.

A statement is made once: to make it takes several times as long as to carry it out.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import ColumnCollection, ColumnElement, Connection
from sqlalchemy.dialects import postgresql, sqlite

from hmz_backend.database.tables import Base

New = ColumnCollection[str, ColumnElement[Any]]
"""The columns of the row that would be inserted."""
Change = Callable[[New], Mapping[str, ColumnElement[Any]]]


def insert_if_absent(connection: Connection, table: type[Base]) -> Any:  # noqa: ANN401 # two types
    """Return an INSERT that leaves a row with the same key as it is."""
    return _insert_if_absent(connection.dialect.name, table)


def insert_or_change(
    connection: Connection, table: type[Base], change: Change, *, keys: tuple[str, ...]
) -> Any:  # noqa: ANN401 # as above
    """Return an INSERT that changes a row with the same key.

    Parameters
    ----------
    change
        Told by the row that would be inserted what becomes of the other's columns.
    keys
        The columns of which no two rows have the same.
    """
    return _insert_or_change(connection.dialect.name, table, change, keys)


def _insert(dialect: str, table: type[Base]) -> Any:  # noqa: ANN401 # as above
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _insert_if_absent(dialect: str, table: type[Base]) -> Any:  # noqa: ANN401 # as above
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _insert_or_change(
    dialect: str, table: type[Base], change: Change, keys: tuple[str, ...]
) -> Any:  # noqa: ANN401 # as above
    added = _insert(dialect, table)
    return added.on_conflict_do_update(index_elements=list(keys), set_=change(added.excluded))
