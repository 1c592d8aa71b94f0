"""Reading and writing from the event loop without holding it up.

Reads run in threads, each on a connection of its own; writes go through the one writer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine

from hmz_backend.database.connection import open_database
from hmz_backend.database.writer import Operation, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one backend.

    Parameters
    ----------
    engine, writer
        For reading, and for writing.
    guard
        Done before each write, in the same transaction; what it raises prevents that one.
    """

    engine: Engine
    writer: Writer
    guard: Operation | None = None

    @classmethod
    def open(cls, address: str) -> Self:
        """Open and migrate the database at a SQLAlchemy address."""
        engine = open_database(address)
        return cls(engine, Writer(engine))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what `query` finds; it runs in a thread."""
        return await asyncio.to_thread(self._read, query)

    async def write(self, *operations: Operation, last: Operation | None = None) -> None:
        """Return once all is committed, `last` at the end; raises DiskFull if it cannot be."""
        before = () if self.guard is None else (self.guard,)
        await self.writer.write(*before, *operations, last=last)

    def guarded(self, guard: Operation) -> Self:
        """Return the same database, where `guard` goes before each write."""
        return replace(self, guard=guard)

    def unguarded(self) -> Self:
        """Return the same database, where nothing goes before a write."""
        return replace(self, guard=None)

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write to it at a time: SQLite is one backend's own."""
        return self.engine.dialect.name != "sqlite"

    def close(self) -> None:
        """Commit what waits and close all connections."""
        self.writer.close()
        self.engine.dispose()

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return query(connection)
