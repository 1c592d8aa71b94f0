"""Sums of the ledger: by person, group, model or month.

Whoever is in several groups counts in each of them with everything, so that each group sees all
use of its members; these sums may not be added up. All others may: their totals are exact.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Select, func, select

from hmz_backend.database.tables import UsageGroupsRow, UsageRow
from hmz_backend.usage.amount import Amount
from hmz_backend.usage.ledger import AMOUNTS, OF_ALL, OF_GROUP

By = Literal["person", "group", "model", "month"]
NAMES: Final[dict[By, tuple[str, ...]]] = {
    "person": ("issuer", "subject"),
    "group": ("group",),
    "model": ("model", "version"),
    "month": ("month",),
}
"""What a line of each kind is named by."""
MONTH: Final = func.substr(UsageRow.day, 1, 7)
SUMS: Final = tuple(func.sum(getattr(UsageRow, name)) for name in AMOUNTS)
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
Names = tuple[str, ...]
Columns = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """From a day to another, both included."""

    since: str = FIRST_DAY
    until: str = LAST_DAY


def report(connection: Connection, by: By, span: Span) -> list[tuple[Names, Amount]]:
    """Return one line per person, group, model or month, in the order of the names."""
    if by == "group":
        return _by_group(connection, span)
    columns: dict[By, Columns] = {
        "person": (UsageRow.issuer, UsageRow.subject),
        "model": (UsageRow.model, UsageRow.version),
        "month": (MONTH,),
    }
    return list(lines(connection, _sums(columns[by], span)))


def own_report(
    connection: Connection, issuer: str, subject: str, span: Span
) -> list[tuple[Names, Amount]]:
    """Return what one person has used, by month, model and version."""
    columns = (MONTH, UsageRow.model, UsageRow.version)
    query = _sums(columns, span).where(UsageRow.issuer == issuer, UsageRow.subject == subject)
    return list(lines(connection, query))


def _by_group(connection: Connection, span: Span) -> list[tuple[Names, Amount]]:
    sets = known_sets(connection)
    found: dict[Names, Amount] = {}
    query = _sums((UsageRow.groups,), span, but=OF_ALL)
    for (digest,), amount in lines(connection, query):
        for group in sets[digest] or [""]:
            found[group,] = found.get((group,), Amount()) + amount
    return sorted(found.items())


def known_sets(connection: Connection) -> dict[str, list[str]]:
    """Return the groups of every set, by its digest."""
    query = select(UsageGroupsRow.digest, UsageGroupsRow.groups)
    return {digest: json.loads(groups) for digest, groups in connection.execute(query)}


def _sums(columns: Columns, span: Span, but: str = OF_GROUP) -> Select[Any]:
    return (
        select(*columns, *SUMS)
        .where(UsageRow.day >= span.since, UsageRow.day <= span.until, UsageRow.process != but)
        .group_by(*columns)
        .order_by(*columns)
    )


def lines(connection: Connection, query: Select[Any]) -> Iterator[tuple[Names, Amount]]:
    """Yield what a query finds whose last columns are `SUMS`, with the names before them."""
    for row in connection.execute(query):
        yield _line(row)


def _line(row: Row[Any]) -> tuple[Names, Amount]:
    count = len(AMOUNTS)
    return tuple(map(str, row[:-count])), Amount(*(int(value) for value in row[-count:]))
