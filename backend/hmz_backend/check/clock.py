"""The clock: this machine's against those of issuers, hub and database."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from hmz_backend.check.database import DRIVERS, connected
from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.issuer import DISCOVERY
from hmz_backend.check.web import NoAnswer, asked
from hmz_backend.settings import Settings
from napari_hmz.errors import SettingsInvalid

NOTICED_S: Final = 5.0
"""From here on it is worth a word: headers tell whole seconds, and answers take time."""
DATABASE_S: Final = 60.0
"""How far the database's clock may be: times in audit trail and leases would be of no use."""
MEND: Final = "Set this machine's clock, and keep it by NTP (timedatectl set-ntp true)."


@dataclass(frozen=True, slots=True)
class Clock:
    """Looks at how far clocks are from each other."""

    settings: Settings
    now_s: Callable[[], float] = field(default=time.time, repr=False)
    subject: str = "clock"

    def look(self) -> Sequence[Finding]:
        """Return which clocks do not agree; who does not answer is told of elsewhere."""
        places = [(issuer.url + DISCOVERY, issuer.leeway_s) for issuer in self.settings.issuers]
        if self.settings.jupyterhub is not None:
            places.append((f"{self.settings.jupyterhub.url}/", DATABASE_S))
        found = [each for url, limit_s in places for each in self._against_web(url, limit_s)]
        found += self._against_database()
        return found or [ok("It agrees with all that were asked.")]

    def _against_web(self, url: str, limit_s: float) -> Iterator[Finding]:
        try:
            theirs_s = parsedate_to_datetime(asked("GET", url).date).timestamp()
        except (NoAnswer, ValueError, TypeError):
            return
        yield from _judged(theirs_s - self.now_s(), url.removesuffix(DISCOVERY), limit_s)

    def _against_database(self) -> Iterator[Finding]:
        try:
            url = make_url(self.settings.database_address)
            if url.drivername not in DRIVERS or url.get_backend_name() == "sqlite":
                return  # SQLite has no clock of its own
            with connected(url) as connection:
                theirs_s = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
        except (ArgumentError, SettingsInvalid, DBAPIError):
            return
        yield from _judged(float(theirs_s or 0.0) - self.now_s(), "the database", DATABASE_S)


def _judged(ahead_s: float, whose: str, limit_s: float) -> Iterator[Finding]:
    words = (
        f"This machine's clock is {abs(ahead_s):.0f} s {'behind' if ahead_s > 0 else 'ahead of'}"
    )
    if abs(ahead_s) > max(limit_s, NOTICED_S):
        yield wrong(f"{words} {whose}; {limit_s:g} s are allowed.", MEND)
    elif abs(ahead_s) > NOTICED_S:
        yield warning(f"{words} {whose}.", MEND)
