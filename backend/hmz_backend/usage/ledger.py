"""The ledger in the database: one row per day, person, set of groups, model and process.

What is used is added to a row, in the transaction of what it belongs to wherever there is one. Each
process has rows of its own, so that none waits for another's.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection

from hmz_backend.database.tables import UsageGroupsRow, UsageRow
from hmz_backend.database.upsert import New, insert_if_absent, insert_or_change
from hmz_backend.database.writer import Operation
from hmz_backend.usage.amount import Account, Amount

KEY: Final = ("day", "issuer", "subject", "groups", "model", "version", "process")
OF_ALL: Final = "month"
"""In place of a process: the sum of a month that is folded, of everybody together."""
OF_GROUP: Final = "month of a group"
"""The same of the members of one group, or of those in none; not a part of any other sum."""
AMOUNTS: Final = ("tiles", "voxels", "engine_us", "bytes_up", "bytes_down")


def today() -> str:
    """Return the day, in UTC."""
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Adds to the rows of this process.

    Parameters
    ----------
    process
        Tells its rows from those of others.
    """

    process: str = field(default_factory=partial(token_hex, 8))

    def adding(self, used: Mapping[Account, Amount]) -> Operation:
        """Return what adds amounts to accounts."""
        return partial(self._add, used=used)

    def _add(self, connection: Connection, *, used: Mapping[Account, Amount]) -> None:
        for account, amount in used.items():
            self.put(connection, account, amount, today())

    def put(self, connection: Connection, account: Account, amount: Amount, day: str) -> None:
        """Add an amount to the row of an account and a day."""
        text = json.dumps(sorted(account.groups))
        groups = hashlib.sha256(text.encode()).hexdigest()[:32]
        known = insert_if_absent(connection, UsageGroupsRow)
        connection.execute(known, {"digest": groups, "groups": text})
        row = {
            "day": day,
            "issuer": account.issuer,
            "subject": account.subject,
            "groups": groups,
            "model": account.model,
            "version": account.version,
            "process": self.process,
            **{name: getattr(amount, name) for name in AMOUNTS},
        }
        connection.execute(insert_or_change(connection, UsageRow, _sums, keys=KEY), row)


def _sums(new: New) -> dict[str, ColumnElement[Any]]:
    return {name: getattr(UsageRow, name) + new[name] for name in AMOUNTS}
