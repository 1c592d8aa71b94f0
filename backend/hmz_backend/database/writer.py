"""The one writer: a thread that commits whatever waits, together.

Callers on the event loop hand over a function on a connection and await its commit; while one
transaction is being synced to disk the next ones gather, so that many writes cost few commits.
Order is kept: what was handed over first is committed first. What takes a lock that all processes
want comes at the end of the transaction: so it is held for a moment, and nobody who holds it waits
for another lock.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from napari_hmz.errors import DiskFull

Operation = Callable[[Connection], None]
LARGEST_BATCH = 500


@dataclass(slots=True)
class _Job:
    operations: Sequence[Operation]
    last: Operation | None
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[None]"


@dataclass
class Writer:
    """Commits operations in order, many at a time.

    Parameters
    ----------
    engine
        The database.
    """

    engine: Engine
    _jobs: "queue.SimpleQueue[_Job | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="hmz-writer", daemon=True)
        self._thread.start()

    async def write(self, *operations: Operation, last: Operation | None = None) -> None:
        """Return once all of `operations` are committed, in one transaction.

        Parameters
        ----------
        *operations
            What is written, in this order.
        last
            What is written in the same transaction after everything else, also that of others.

        Raises
        ------
        DiskFull
            If the database cannot grow.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._jobs.put(_Job(operations, last, loop, done))
        await done

    @property
    def waiting(self) -> int:
        """About how many operations wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """Commit what waits and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._gather()
            if batch and not self._commit(batch):
                for job in batch:  # one of them failed: each on its own, so that only it suffers
                    self._commit([job])

    def _gather(self) -> tuple[list[_Job], bool]:
        first = self._jobs.get()
        batch: list[_Job] = []
        while first is not None:
            batch.append(first)
            if len(batch) == LARGEST_BATCH:
                return batch, False
            try:
                first = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Job]) -> bool:
        try:
            with self.engine.begin() as connection:
                for operation in _ordered(batch):
                    operation(connection)
        except Exception as error:  # noqa: BLE001 # whatever it is, its caller gets it
            if len(batch) > 1 and not is_cut_off(error):
                return False
            for job in batch:  # if cut off, it may be committed: to do it again would be wrong
                _settle(job, _explained(error))
            return True
        for job in batch:
            _settle(job, None)
        return True


def is_cut_off(error: Exception) -> bool:
    """Return whether the connection to the database was lost, so that nobody knows what is in."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _ordered(batch: Sequence[_Job]) -> Iterator[Operation]:
    for job in batch:
        yield from job.operations
    yield from (job.last for job in batch if job.last is not None)


def _explained(error: Exception) -> Exception:
    if isinstance(error, OperationalError) and "full" in str(error.orig):
        return DiskFull("The disk of the backend's database is full.")
    return error


def _settle(job: _Job, error: Exception | None) -> None:
    def settle() -> None:
        if job.done.cancelled():
            return
        if error is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(error)

    try:
        job.loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is gone, and with it whoever waited
        return
