"""The lease: which of several server processes looks after volumes and runs, as the database says.

```
free or run out ── acquire ──> held, term n ── renew ──> held, term n ── release ──> free
                                    └── not renewed in time: the next one acquires term n + 1
```

Time is the database's own, so that clocks of machines do not matter. A process that was stalled may
believe that it holds the lease still: so each of its transactions asks, and holds the row until it
is committed. What had been asked before a takeover is committed before it, what asks later fails.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Float, cast, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from hmz_backend.database.tables import LeaseRow
from hmz_backend.database.upsert import insert_if_absent
from napari_hmz.errors import ServerBusy

LEASE_S: Final = 6.0
NAME: Final = "runs"


class LeaseLost(ServerBusy):
    """Another server process looks after volumes and runs by now: nothing was written."""

    title = "Another server process has taken over"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the lease stands.

    Parameters
    ----------
    term
        How often it has been acquired.
    address
        Where its holder is reached.
    left_s
        How long it is held; not positive: it is free.
    """

    term: int
    address: str
    left_s: float


def look(connection: Connection) -> Standing | None:
    """Return how the lease stands; none: nobody has ever had it."""
    query = select(LeaseRow.term, LeaseRow.address, LeaseRow.ends_at_s - _now()).where(_THIS)
    row = connection.execute(query).first()
    return None if row is None else Standing(*row)


def acquire(connection: Connection, address: str, least_term: int) -> int | None:
    """Return the term of the lease that was free, or none.

    One that was held at the same address is free: nobody else can listen there now.

    Parameters
    ----------
    connection
        Of a transaction of its own.
    address
        Where the new holder is reached.
    least_term
        The term is no smaller.
    """
    row = {"name": NAME, "term": 0, "address": "", "ends_at_s": 0.0}
    connection.execute(insert_if_absent(connection, LeaseRow).values(row))
    term = func.greatest(LeaseRow.term + 1, least_term)
    taken = (
        update(LeaseRow)
        .where(_THIS, or_(LeaseRow.ends_at_s < _now(), LeaseRow.address == address))
        .values(term=term, address=address, ends_at_s=_now() + LEASE_S)
        .returning(LeaseRow.term)
    )
    return connection.execute(taken).scalar()


def renew(connection: Connection, term: int) -> None:
    """Hold the lease for longer; raises LeaseLost if somebody else has it."""
    longer = update(LeaseRow).where(_THIS, LeaseRow.term == term)
    if not connection.execute(longer.values(ends_at_s=_now() + LEASE_S)).rowcount:
        raise LeaseLost


def release(connection: Connection, term: int) -> None:
    """Let the next one have the lease, unless it has it already."""
    free = update(LeaseRow).where(_THIS, LeaseRow.term == term)
    connection.execute(free.values(address="", ends_at_s=0.0))


def check(connection: Connection, term: int) -> None:
    """Keep the lease as it is until this transaction ends; raises LeaseLost if it is not ours."""
    query = select(LeaseRow.term).where(_THIS, LeaseRow.term == term)
    if connection.execute(query.with_for_update(read=True)).first() is None:
        raise LeaseLost


_THIS: Final = LeaseRow.name == NAME


def _now() -> ColumnElement[float]:
    """Return the database's time, in seconds since 1970, when the statement comes to it."""
    return cast(func.extract("epoch", func.clock_timestamp()), Float)
