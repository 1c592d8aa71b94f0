"""The trail in the database: records are added at its end, in the transaction of what they tell of.

All processes that share a database add to one chain. The row of its head is changed first: it
stays locked until the transaction ends, so that of two who add, one comes after the other.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from hmz_backend.audit.chain import REMOVAL, Mark, Record, sealed
from hmz_backend.audit.entry import Entry, Who
from hmz_backend.database.tables import AuditHeadRow, AuditRow
from hmz_backend.database.writer import Operation

PAGE: Final = 1000  # records in memory at a time


def recording(entry: Entry) -> Operation:
    """Return what adds the record of an act: for the end of the transaction that does it."""
    return partial(_add, entry=entry)


def append(connection: Connection, entry: Entry) -> Record:
    """Add the record of an act; the trail is locked until the transaction ends."""
    connection.execute(update(AuditHeadRow).values(number=AuditHeadRow.number + 1))
    ahead = head(connection)
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = sealed(Mark(ahead.number - 1, ahead.digest), at, entry)
    connection.execute(
        insert(AuditRow).values(
            number=record.number, at=record.at, body=record.body, digest=record.digest
        )
    )
    connection.execute(update(AuditHeadRow).values(digest=record.digest))
    return record


def head(connection: Connection) -> Mark:
    """Return where the trail ends."""
    query = select(AuditHeadRow.number, AuditHeadRow.digest)
    number, digest = connection.execute(query).one()
    return Mark(number, digest)


def records(
    connection: Connection, since: str = "", *, after: int = 0, until: int | None = None
) -> Iterator[Record]:
    """Yield records in order, a page in memory at a time.

    Parameters
    ----------
    since
        Only from the first one that was written at this time or later.
    after, until
        Only those after the one number, and up to the other.
    """
    first = select(func.min(AuditRow.number)).where(AuditRow.at >= since, AuditRow.number > after)
    begin: int | None = connection.execute(first).scalar()
    while begin is not None:
        query = select(AuditRow.__table__).where(AuditRow.number >= begin)
        if until is not None:
            query = query.where(AuditRow.number <= until)
        page = connection.execute(query.order_by(AuditRow.number).limit(PAGE)).all()
        yield from (Record(row.number, row.at, row.body, row.digest) for row in page)
        begin = page[-1].number + 1 if page else None


def newest(connection: Connection, count: int) -> list[Record]:
    """Return the last records, in order."""
    return list(records(connection, after=max(0, head(connection).number - count)))


def remove(connection: Connection, before: str, who: Who) -> int:
    """Remove the records before a time, and return how many; a new record tells of it.

    That record holds number and digest of the last one that is removed: the chain begins there.
    """
    kept = select(func.min(AuditRow.number)).where(AuditRow.at >= before)
    first_kept: int | None = connection.execute(kept).scalar()
    last = select(AuditRow.number, AuditRow.digest).order_by(AuditRow.number.desc()).limit(1)
    if first_kept is not None:
        last = last.where(AuditRow.number < first_kept)
    found = connection.execute(last).first()
    if found is None:
        return 0
    until, digest = found
    append(connection, Entry(REMOVAL, who, more={"until": until, "digest": digest}))
    connection.execute(update(AuditHeadRow).values(removed_until=until))
    return connection.execute(delete(AuditRow).where(AuditRow.number <= until)).rowcount


def _add(connection: Connection, *, entry: Entry) -> None:
    append(connection, entry)
