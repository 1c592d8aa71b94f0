"""The address of metrics alone: free, this machine's own, and not open to the whole world."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.listening import EVERYWHERE, url_here
from hmz_backend.check.strangers import is_public
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.server import listen
from hmz_backend.watch.instruments import PREFIX
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import wire

FIREWALL: Final = "Bind it to loopback, or let a firewall admit Prometheus alone."


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Looks at `metrics_address`.

    Parameters
    ----------
    host, port
        Its parts.
    """

    host: str
    port: int
    subject: str = "metrics address"

    def look(self) -> Sequence[Finding]:
        """Return whether metrics could be told there, or are already, and to whom."""
        found = [*self._place(), *self._strangers()]
        return found or [ok(f"{self.host}:{self.port} is there for metrics.")]

    def _place(self) -> Iterator[Finding]:
        try:
            listen(self.host, self.port).close()
        except SettingsInvalid as error:
            cause = error.__cause__
            if not (isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE):
                yield wrong(error.detail, "Name an address of this machine in metrics_address.")
            elif not self._has_metrics():
                words = f"Another program listens on {self.host}:{self.port}."
                yield wrong(words, "Stop it, or choose another port in metrics_address.")
        except UnicodeError as error:
            yield wrong(f"There is no host {self.host}: {error}.", "Correct metrics_address.")

    def _has_metrics(self) -> bool:
        try:
            answer = asked("GET", url_here(self.host, self.port) + wire.METRICS)
        except NoAnswer:
            return False
        return answer.status == OK and PREFIX in answer.text

    def _strangers(self) -> Iterator[Finding]:
        if self.host in EVERYWHERE:
            words = "Metrics are told in all networks of this machine, to whoever asks."
            yield warning(words, FIREWALL)
        elif is_public(self.host):
            words = f"{self.host} is a public address: metrics are told to whoever asks."
            yield warning(words, FIREWALL)
