"""The address that the backend listens on: free, this machine's own, and behind TLS if need be."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hmz_backend.check.finding import Finding, ok, wrong
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.server import listen
from hmz_backend.settings import Settings
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import wire

EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 # named only


@dataclass(frozen=True, slots=True)
class Listening:
    """Looks at `host` and `port`."""

    settings: Settings
    subject: str = "address"

    def look(self) -> Sequence[Finding]:
        """Return whether the backend could listen, or does so already."""
        host, port = self.settings.host, self.settings.port
        try:
            listen(host, port).close()
        except SettingsInvalid as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
                return [self._who_is_there()]
            return [wrong(error.detail, "Name an address of this machine in host.")]
        except (OSError, UnicodeError) as error:
            return [wrong(f"There is no host {host}: {error}.", "Correct host.")]
        return [ok(f"{host}:{port} is free.")]

    def _who_is_there(self) -> Finding:
        host, port = self.settings.host, self.settings.port
        try:
            answer = asked("GET", url_here(host, port) + wire.HEALTH)
        except NoAnswer:
            answer = None
        if answer is not None and answer.status == OK and "engine" in answer.document:
            return ok(f"A backend listens on {host}:{port} already.")
        words = f"Another program listens on {host}:{port}."
        return wrong(words, "Stop it, or choose another port.")


def url_here(host: str, port: int) -> str:
    """Return how this machine itself reaches what listens on a host and a port."""
    named = EVERYWHERE.get(host, host)
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
