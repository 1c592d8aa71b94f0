"""Questions to issuers and hubs: short, bounded, and told apart from a "no" when nobody answers."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from hmz_backend.watch.callers import CallerMetrics
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import IssuerUnavailable

TIMEOUT_S: Final = 5.0
LARGEST: Final = 2**20  # bytes of an answer: userinfo with a thousand groups has a tenth of it
AT_ONCE: Final = 16  # questions under way: a flood of made-up tokens must not become one of ours
PAUSE_S: Final = 2.0  # for which one that does not answer is not asked again
SERVER_ERROR: Final = 500
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
LONGEST: Final = 128_000  # letters of a token: room for a thousand groups


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the JSON object of a success."""

    status: int
    body: Mapping[str, Any]


@dataclass
class Inquiry:
    """Asks over HTTPS; follows no redirect, since that could carry a token elsewhere.

    Parameters
    ----------
    clock_s
        Tells seconds that only go on.
    callers
        Counts the questions.
    """

    clock_s: Callable[[], float] = time.monotonic
    callers: CallerMetrics = field(default_factory=lambda: Watch().callers, repr=False)
    _tls: SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _silent_until_s: dict[str, float] = field(default_factory=dict)

    async def get(self, url: str, authorization: SecretStr | None = None) -> Answer:
        """Fetch a document.

        Parameters
        ----------
        url
            Of the issuer or hub.
        authorization
            The whole value of that header, if the document is not for everyone.

        Raises
        ------
        IssuerUnavailable
            If there is no answer of use: what is asked about may be good or not.
        """
        headers = {"Authorization": authorization.get_secret_value()} if authorization else {}
        return await self._ask(httpx.Request("GET", url, headers=headers))

    async def post(self, url: str, form: Mapping[str, str], user: str, password: str) -> Answer:
        """Send a form as a client with a secret; raises as `get` does."""
        request = httpx.Request("POST", url, data=dict(form))
        basic = httpx.BasicAuth(form_encoded(user), form_encoded(password))
        return await self._ask(next(basic.auth_flow(request)))

    async def _ask(self, request: httpx.Request) -> Answer:
        request.headers["Accept"] = "application/json"
        place = urlsplit(str(request.url)).netloc
        async with self._places:
            if self.clock_s() < self._silent_until_s.get(place, 0.0):
                self.callers.asked(place, "silenced")
                raise _unavailable(place, "it has just not answered")
            try:
                answer = await self._answered(request, place)
            except IssuerUnavailable:
                self.callers.asked(place, "unavailable")
                raise
            self.callers.asked(place, "answered")
            return answer

    async def _answered(self, request: httpx.Request, place: str) -> Answer:
        try:
            async with httpx.AsyncClient(verify=self._tls, timeout=TIMEOUT_S) as http:
                return await _answer(http, request, place)
        except httpx.HTTPError as error:
            self._silent_until_s[place] = self.clock_s() + PAUSE_S
            raise _unavailable(place, type(error).__name__) from None  # it may show the request


async def _answer(http: httpx.AsyncClient, request: httpx.Request, place: str) -> Answer:
    response = await http.send(request, stream=True)
    try:
        body = b""
        async for part in response.aiter_bytes():
            body += part
            if len(body) > LARGEST:
                raise _unavailable(place, "its answer is too long")
    finally:
        await response.aclose()
    status = response.status_code
    if response.is_redirect or status >= SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise _unavailable(place, f"it answers with {status}")
    if not response.is_success:
        return Answer(status, {})
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unavailable(place, "its answer is no JSON object")
    return Answer(status, found)


def can_be_sent(token: str) -> bool:
    """Return whether a token has the form of one (RFC 6750), and may stand in a header."""
    return len(token) <= LONGEST and _TOKEN.fullmatch(token) is not None


def form_encoded(text: str) -> str:
    """Return a client's name or secret as RFC 6749 (2.3.1) wants it in the header."""
    return str(httpx.QueryParams({"": text}))[1:]


def _unavailable(place: str, why: str) -> IssuerUnavailable:
    return IssuerUnavailable(f"{place} cannot be asked who is calling: {why}.")
