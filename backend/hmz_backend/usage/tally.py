"""What is used outside of runs' journals, gathered for a moment and written together.

A chunk in or out and a call of `/v2` cost an addition in memory; a quarter of a second later at
most, the sums are in the ledger. What a kill takes is what was used in that time.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hmz_backend.database.access import Database
from hmz_backend.usage.amount import Account, Amount
from hmz_backend.usage.ledger import Ledger
from napari_hmz.errors import HmzError

log = logging.getLogger(__name__)
GATHER_S: Final = 0.25
TROUBLE_S: Final = 5.0  # until a database that took nothing is asked again


@dataclass
class Tally:
    """Gathers and writes. Runs on the event loop.

    Parameters
    ----------
    database
        Where the ledger is.
    ledger
        Its rows of this process; runs add to them in their own transactions.
    """

    database: Database
    ledger: Ledger = field(default_factory=Ledger)
    _used: dict[Account, Amount] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    def add(self, account: Account, amount: Amount) -> None:
        """Count what was used; written a moment later."""
        self._used[account] = self._used.get(account, Amount()) + amount
        self._wake.set()

    async def flush(self) -> bool:
        """Write what is gathered; return False if the database took nothing, and keep it then."""
        used, self._used = self._used, {}
        self._wake.clear()
        try:
            if used:
                await self.database.write(self.ledger.adding(used))
        except (HmzError, SQLAlchemyError):
            log.exception("what was used could not be written; it is kept for later")
            for account, amount in used.items():
                self.add(account, amount)
            return False
        return True

    def start(self) -> None:
        """Write again and again until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            is_written = await self.flush()
            await asyncio.sleep(GATHER_S if is_written else TROUBLE_S)  # others gather meanwhile
