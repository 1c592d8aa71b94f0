"""Asking over HTTP as the backend does: short, without redirects, with its own trust in TLS."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from hmz_backend.check.patience import ANSWER_S
from hmz_backend.identity.inquiry import LARGEST

OK: Final = 200


class NoAnswer(Exception):
    """Nobody answers, or not with what is asked for; the text is half a sentence."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back; `document` is empty if it is no JSON object, `text` if it is too long."""

    status: int
    document: Mapping[str, Any]
    date: str
    text: str = ""


def asked(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    user: tuple[str, str] | None = None,
) -> WebAnswer:
    """Return an answer of whatever status.

    Raises
    ------
    NoAnswer
        If there is none.
    """
    try:
        with httpx.Client(timeout=ANSWER_S, follow_redirects=False, verify=_trust(url)) as http:
            answer = http.request(method, url, headers=headers, data=form, auth=user)
    except httpx.HTTPError as error:
        raise NoAnswer(_why(error)) from None  # its request may hold a secret
    date = answer.headers.get("Date", "")
    if len(answer.content) > LARGEST:
        return WebAnswer(answer.status_code, {}, date)
    return WebAnswer(answer.status_code, _object(answer), date, answer.text)


def _trust(url: str) -> ssl.SSLContext:
    """Return whom to trust: reading all authorities takes time, and without TLS nobody is asked."""
    if url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _why(error: httpx.HTTPError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is refused ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {ANSWER_S:g} s"
    return "no connection" if isinstance(error, httpx.ConnectError) else "no sensible answer"
