"""An OpenID Connect issuer over HTTP: its discovery document, and its answers to forms.

Threads: may be used from several threads at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from napari_hmz.errors import IssuerUnavailable, SignInFailed
from napari_hmz.version import __version__

DISCOVERY = "/.well-known/openid-configuration"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TIMEOUT_S = 20.0
_WORDS = 200  # what is shown of an issuer's own words


class Refused(Exception):
    """The issuer says no.

    Parameters
    ----------
    reason
        The `error` of its answer, as the protocol names it.
    words
        What it says to the person.
    """

    def __init__(self, reason: str, words: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.words = words[:_WORDS]

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        words = f"{self.words.rstrip('.')} ({self.reason})" if self.words else self.reason
        return f"The issuer says: {words}."


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an issuer answers; empty where it does not offer that."""

    issuer: str
    authorization: str
    token: str
    keys: str
    device: str = ""
    revocation: str = ""


def same_issuer(one: str, other: str) -> bool:
    """Return whether two addresses name one issuer: a slash at the end makes no difference."""
    return one.removesuffix("/") == other.removesuffix("/")


def is_safe(url: str) -> bool:
    """Return whether secrets may be sent there: encrypted, or to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def discover(issuer: str) -> Endpoints:
    """Ask an issuer where it answers.

    Raises
    ------
    IssuerUnavailable
        If it does not answer.
    SignInFailed
        If what answers is not that issuer, or cannot be trusted.
    """
    if not is_safe(issuer):
        raise SignInFailed(f"The issuer's address {issuer} does not begin with https://.")
    document = fetch(issuer.removesuffix("/") + DISCOVERY)
    named = str(document.get("issuer", ""))
    if not same_issuer(named, issuer):
        raise SignInFailed(f"What answers at {issuer} calls itself {named[:_WORDS]!r}.")
    methods = document.get("code_challenge_methods_supported", ["S256"])
    if "S256" not in methods:
        raise SignInFailed(f"{issuer} does not protect the sign-in (PKCE with S256).")
    found = Endpoints(
        issuer=named,
        authorization=str(document.get("authorization_endpoint", "")),
        token=str(document.get("token_endpoint", "")),
        keys=str(document.get("jwks_uri", "")),
        device=str(document.get("device_authorization_endpoint", "")),
        revocation=str(document.get("revocation_endpoint", "")),
    )
    told = (found.authorization, found.token, found.keys, found.device, found.revocation)
    if not all(is_safe(url) for url in told if url) or not found.token:
        raise SignInFailed(f"{issuer} names an address that is not safe, or none.")
    return found


def fetch(url: str) -> dict[str, Any]:
    """Return a JSON document of an issuer; raises `IssuerUnavailable` if there is none."""
    return _document(_exchange("GET", url))


def send(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Send a form to an issuer, and return the JSON object that it answers with.

    Raises
    ------
    IssuerUnavailable
        If it does not answer, or answers that it cannot at the moment.
    Refused
        If it says no.
    """
    answer = _exchange("POST", url, data={name: value for name, value in form.items() if value})
    if answer.is_success and not answer.content:  # of a revocation
        return {}
    document = _document(answer)
    if answer.is_success and "error" not in document:
        return document
    raise Refused(
        str(document.get("error", answer.status_code)),
        str(document.get("error_description", "")),
    )


def _exchange(method: str, url: str, **parts: Any) -> httpx.Response:  # noqa: ANN401 # handed on
    host = urlsplit(url).hostname
    headers = {"Accept": "application/json", "User-Agent": f"napari-hmz/{__version__}"}
    try:
        # No redirects: a form with a secret goes where discovery says, and nowhere else.
        with httpx.Client(trust_env=host not in LOOPBACK, timeout=_TIMEOUT_S) as http:
            answer = http.request(method, url, headers=headers, **parts)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        # Without the cause: its request holds the form.
        raise IssuerUnavailable(f"{host} does not answer: {type(error).__name__}.") from None
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise IssuerUnavailable(f"{host} answers with {answer.status_code}.")
    return answer


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        host = urlsplit(str(answer.url)).hostname
        raise IssuerUnavailable(f"{host} does not answer as an issuer would.")
    return document
