"""The address that people use: a proxy that leads to this backend and lets chunks pass."""

import http.client
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.patience import ANSWER_S
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.settings import Settings
from napari_hmz.schema import wire
from napari_hmz.version import __version__

NO_BACKEND: Final = (502, 503, 504)
TOO_LARGE: Final = 413
CHUNK: Final = wire.chunk("hmz-check", "0")


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Looks at `public_url`, as somebody would who has not signed in."""

    settings: Settings

    @property
    def subject(self) -> str:
        """Which address."""
        return f"public address {self.settings.public_url}"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with the way to the backend."""
        url = self.settings.public_url
        try:
            answer = asked("GET", url + wire.HEALTH)
        except NoAnswer as error:
            return [wrong(f"It cannot be reached: {error}.", "Look at the proxy, and at the name.")]
        if answer.status in NO_BACKEND:
            return [warning("The proxy answers, the backend behind it does not.", "Start it.")]
        if answer.status != OK or "engine" not in answer.document:
            words = f"Something else is there: {wire.HEALTH} is answered with {answer.status}."
            return [wrong(words, "Correct public_url, or the proxy's rules.")]
        found = [*_other_version(str(answer.document.get("version"))), *self._size()]
        return found or [ok("It leads to the backend, and chunks pass.")]

    def _size(self) -> Iterator[Finding]:
        most = self.settings.chunk_limit_bytes
        if status_of_upload(self.settings.public_url, most) == TOO_LARGE:
            words = f"The proxy refuses bodies of {most} bytes (chunk_limit_bytes)."
            yield wrong(words, "Raise its limit (nginx: client_max_body_size).")


def _other_version(version: str) -> Iterator[Finding]:
    if version != __version__:
        words = f"The backend there is of version {version}, this command of {__version__}."
        yield warning(words, "Look whether the right one runs there.")


def status_of_upload(url: str, size_bytes: int) -> int | None:
    """Return how a body of this size is answered before any of it is sent; none: not at all."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        tls = httpx.create_ssl_context()
        connection = http.client.HTTPSConnection(parts.netloc, timeout=ANSWER_S, context=tls)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_S)
    try:
        connection.putrequest("PUT", parts.path + CHUNK)
        connection.putheader("Content-Length", str(size_bytes))
        connection.endheaders()
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None  # it waits for the body, as it may
    finally:
        connection.close()
