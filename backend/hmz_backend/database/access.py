"""Reading and writing from the event loop without holding it up.

Reads run in threads, each on a connection of its own; writes go through the one writer.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, QueuePool
from sqlalchemy.exc import InterfaceError, OperationalError

from hmz_backend.database.connection import open_database
from hmz_backend.database.lease import LeaseLost
from hmz_backend.database.writer import Operation, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands before the reads and writes of a process that may lose its right to them.

    Parameters
    ----------
    check
        Done before each write, in the same transaction; what it raises prevents that one.
    doubted
        Called when the database was away: what it holds has to be looked at anew.
    """

    check: Operation
    doubted: Callable[[], None]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Raise LeaseLost where the database does not answer."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            self.doubted()
            raise LeaseLost("The database was away for a moment.") from error


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one backend.

    Parameters
    ----------
    engine, writer
        For reading, and for writing.
    guard
        Stands before it; none: the process has it for itself.
    """

    engine: Engine
    writer: Writer
    guard: Guard | None = None

    @classmethod
    def open(cls, address: str) -> Self:
        """Open and migrate the database at a SQLAlchemy address."""
        engine = open_database(address)
        return cls(engine, Writer(engine))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what `query` finds; it runs in a thread."""
        with self._watching():
            return await asyncio.to_thread(self._read, query)

    async def write(self, *operations: Operation, last: Operation | None = None) -> None:
        """Return once all is committed, `last` at the end.

        Raises
        ------
        DiskFull
            If it cannot be.
        LeaseLost
            If there is a guard, and another process leads, or the database is away.
        """
        before = () if self.guard is None else (self.guard.check,)
        with self._watching():
            await self.writer.write(*before, *operations, last=last)

    def guarded(self, guard: Guard | None) -> Self:
        """Return the same database behind a guard, or without any."""
        return replace(self, guard=guard)

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write to it at a time: SQLite is one backend's own."""
        return self.engine.dialect.name != "sqlite"

    def connections(self) -> tuple[int, int]:
        """Return how many connections are in use, and how many are kept open."""
        pool = self.engine.pool
        return (pool.checkedout(), pool.size()) if isinstance(pool, QueuePool) else (0, 0)

    def close(self) -> None:
        """Commit what waits and close all connections."""
        self.writer.close()
        self.engine.dispose()

    def _watching(self) -> AbstractContextManager[None]:
        return nullcontext() if self.guard is None else self.guard.watching()

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return query(connection)
