"""The clock: this machine's against those of issuers, hub and database."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

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
class Told:
    """Another clock: whose it is, how far it is ahead of this machine's, and how far it may be."""

    whose: str
    ahead_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Looks at how far clocks are from each other."""

    settings: Settings
    now_s: Callable[[], float] = field(default=time.time, repr=False)
    subject: str = "clock"

    def look(self) -> Sequence[Finding]:
        """Return which clocks do not agree; who does not answer is told of elsewhere."""
        told = [*self._of_web(), *self._of_database()]
        if not told:
            return [ok("There is no other clock to compare it with.")]
        found = [each for one in told for each in _judged(one)]
        return found or [ok(f"It agrees with {', '.join(one.whose for one in told)}.")]

    def _of_web(self) -> Iterator[Told]:
        places = [(issuer.url + DISCOVERY, issuer.leeway_s) for issuer in self.settings.issuers]
        if self.settings.jupyterhub is not None:
            places.append((f"{self.settings.jupyterhub.url}/", DATABASE_S))
        for url, limit_s in places:
            try:
                theirs_s = parsedate_to_datetime(asked("GET", url).date).timestamp()
            except (NoAnswer, ValueError, TypeError):
                continue
            whose = urlsplit(url).netloc
            yield Told(whose, theirs_s - self.now_s(), limit_s)

    def _of_database(self) -> Iterator[Told]:
        try:
            url = make_url(self.settings.database_address)
            if url.drivername not in DRIVERS or url.get_backend_name() == "sqlite":
                return  # SQLite has no clock of its own
            with connected(url) as connection:
                theirs_s = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
        except (ArgumentError, SettingsInvalid, DBAPIError):
            return
        yield Told("the database", float(theirs_s or 0.0) - self.now_s(), DATABASE_S)


def _judged(told: Told) -> Iterator[Finding]:
    side = "behind" if told.ahead_s > 0 else "ahead of"
    words = f"This machine's clock is {abs(told.ahead_s):.0f} s {side} {told.whose}"
    if abs(told.ahead_s) > max(told.limit_s, NOTICED_S):
        yield wrong(f"{words}; {told.limit_s:g} s are allowed.", MEND)
    elif abs(told.ahead_s) > NOTICED_S:
        yield warning(f"{words}.", MEND)
