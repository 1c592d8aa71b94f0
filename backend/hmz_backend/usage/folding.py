"""Folding: of months that are long over, the ledger keeps what was used, and not by whom.

```
rows of persons and days ── ledger_names_months later ──> sums of the month, by model
                                                          sums of the month, by group and model
```

All sums stay what they were, but those by person: what is folded is nobody's there. Sums of groups
are rows of their own, since a set of groups could tell who is meant.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, select

from hmz_backend.audit.entry import BACKEND, Entry
from hmz_backend.audit.trail import recording
from hmz_backend.database.access import Database
from hmz_backend.database.tables import UsageRow
from hmz_backend.usage.amount import Account, Amount
from hmz_backend.usage.ledger import OF_ALL, OF_GROUP, Ledger, today
from hmz_backend.usage.report import MONTH, SUMS, known_sets, lines

log = logging.getLogger(__name__)
PERIOD_S: Final = 6 * 3600.0
IS_OF_A_PERSON: Final = UsageRow.process.not_in((OF_ALL, OF_GROUP))


@dataclass(frozen=True, slots=True)
class Folding:
    """Folds month by month, each in a transaction with its record. Runs on the event loop.

    Parameters
    ----------
    database
        Where the ledger is.
    months
        How many whole months, beside the one that goes on, persons are named; 0: for ever.
    today
        Tells the day, in UTC.
    """

    database: Database
    months: int
    today: Callable[[], str] = today

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while self.months:
            try:
                await self.sweep()
            except Exception:  # whatever it is, the next look may go through
                log.exception("old months of the ledger could not be folded")
            await asyncio.sleep(PERIOD_S)

    async def sweep(self) -> None:
        """Fold what is over for long enough."""
        before = first_named(self.today(), self.months)
        for month in await self.database.read(partial(unfolded, before=before)):
            told = recording(Entry("usage.folded", BACKEND, thing=month))
            await self.database.write(partial(fold, month=month), last=told)
            log.info("ledger: %s is folded, it names nobody any more", month)


def first_named(day: str, months: int) -> str:
    """Return the first month (`2026-11`) in which persons are still named on a day."""
    at = date.fromisoformat(day)
    count = 12 * at.year + at.month - 1 - months
    return f"{count // 12:04}-{count % 12 + 1:02}"


def unfolded(connection: Connection, before: str) -> list[str]:
    """Return the months before another that still name persons, in order."""
    query = select(MONTH).where(IS_OF_A_PERSON, UsageRow.day < before).distinct().order_by(MONTH)
    return list(connection.execute(query).scalars())


def fold(connection: Connection, month: str) -> None:
    """Put sums in the place of what persons used in one month."""
    sums: dict[tuple[str, Account], Amount] = defaultdict(Amount)
    sets = known_sets(connection)
    columns = (UsageRow.groups, UsageRow.model, UsageRow.version)
    query = select(*columns, *SUMS).where(*_of(month)).group_by(*columns)
    for (digest, model, version), amount in lines(connection, query):
        sums[OF_ALL, Account("", "", frozenset(), model, version)] += amount
        each = [frozenset({group}) for group in sets[digest]] or [frozenset()]
        for group in each:
            sums[OF_GROUP, Account("", "", group, model, version)] += amount
    for (kind, account), amount in sums.items():
        Ledger(kind).put(connection, account, amount, f"{month}-01")
    connection.execute(delete(UsageRow).where(*_of(month)))


def _of(month: str) -> tuple[ColumnElement[bool], ...]:
    return (IS_OF_A_PERSON, UsageRow.day >= f"{month}-01", UsageRow.day <= f"{month}-31")
