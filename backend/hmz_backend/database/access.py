"""Reading and writing from the event loop without holding it up.

Reads run in threads, each on a connection of its own; writes go through the one writer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine

from hmz_backend.database.connection import open_database
from hmz_backend.database.writer import Operation, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one backend."""

    engine: Engine
    writer: Writer

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
        await self.writer.write(*operations, last=last)

    def close(self) -> None:
        """Commit what waits and close all connections."""
        self.writer.close()
        self.engine.dispose()

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return query(connection)
