"""Certificates of the addresses that the backend calls or is called by: valid, and for how long."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.patience import ANSWER_S
from hmz_backend.settings import Settings

SOON_DAYS: Final = 14
DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Certificates:
    """Looks at the certificate behind each https address."""

    urls: Sequence[str]
    now_s: Callable[[], float] = field(default=time.time, repr=False)
    subject: str = "certificates"

    def look(self) -> Sequence[Finding]:
        """Return which are refused, or end soon; who does not answer is told of elsewhere."""
        found = [each for url in self.urls for each in self._look_at(url)]
        return found or [ok("There is none that could be looked at.")]

    def _look_at(self, url: str) -> Iterator[Finding]:
        host, port = urlsplit(url).hostname or "", urlsplit(url).port or 443
        try:
            with socket.create_connection((host, port), ANSWER_S) as plain:
                ends_s = _end(plain, host)
        except ssl.SSLCertVerificationError as error:
            words = f"The certificate of {host}:{port} is refused: {error.verify_message}."
            yield wrong(words, "Renew it there; a CA of your own goes into SSL_CERT_FILE.")
            return
        except OSError:
            return
        left_days = (ends_s - self.now_s()) / DAY_S
        words = f"The certificate of {host}:{port} ends in {left_days:.0f} days."
        yield warning(words, "Renew it.") if left_days < SOON_DAYS else ok(words)


def https_urls(settings: Settings) -> list[str]:
    """Return the https addresses that the settings name."""
    named = [issuer.url for issuer in settings.issuers]
    named += [settings.jupyterhub.url] if settings.jupyterhub else []
    named += [settings.public_url, settings.peer_url, settings.traces_url]
    return [url for url in named if url.startswith("https://")]


def _end(plain: socket.socket, host: str) -> float:
    """Return when the certificate ends, in seconds since 1970."""
    with httpx.create_ssl_context().wrap_socket(plain, server_hostname=host) as encrypted:
        told = encrypted.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(told["notAfter"])))
