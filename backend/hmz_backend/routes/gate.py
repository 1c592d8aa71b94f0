"""The gate: what is checked of every request before any route, and said with every answer.

```
request → id given → Host and Origin ours? → protocol new enough? → route
        ← id and protocol in the answer's headers ←
```

A page in a browser can reach 127.0.0.1 under a name of its own (DNS rebinding): so only the names
that this backend is known under are answered, and no page of another origin.
"""

import logging
import re
import time
from collections.abc import Collection, MutableMapping
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hmz_backend.request_id import enter_request
from hmz_backend.routes.problems import on_error
from hmz_backend.watch.about import enter_person, known
from hmz_backend.watch.log_lines import MORE
from hmz_backend.watch.requests import NO_ROUTE
from hmz_backend.watch.traces import Span
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import (
    AddressRefused,
    ClientTooOld,
    HmzError,
    NotFound,
    RequestError,
    RequestTooLarge,
)
from napari_hmz.schema import wire

log = logging.getLogger(__name__)
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
FAILED = 400
MOST_HEAD_BYTES = 160 * 1024  # of all headers: a token with a thousand groups has 128,000 letters
SAFE = {
    "X-Content-Type-Options": "nosniff",  # what says to be bytes is nothing else
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""Nothing here is a page: a browser that is led here shows it to nobody, and runs nothing."""
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Gate:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app
        What is behind.
    names
        Host names that this backend answers to; empty: any (a proxy in front checks them).
    watch
        Counts requests.
    origins
        Other origins whose pages may ask, too.
    """

    def __init__(
        self, app: ASGIApp, names: Collection[str], watch: Watch, origins: Collection[str] = ()
    ) -> None:
        self.app = app
        self.names = frozenset(names)
        self.watch = watch
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(wire.REQUEST_ID_HEADER, "")
        number = given if _GOOD_ID.fullmatch(given) else token_hex(8)
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["request_id"] = number
        enter_request(number)
        enter_person("")  # until it is known who asks
        with self.watch.traces.request(headers) as span:
            answer = await self._pass(scope, headers, receive, _Answer(send, number))
            if span.is_kept:
                _describe(span, scope, answer.status)

    async def _pass(
        self, scope: Scope, headers: Headers, receive: Receive, answer: "_Answer"
    ) -> "_Answer":
        body, started_s = _Body(receive), time.monotonic()
        try:
            self._check(scope, headers)
            await self.app(scope, body, answer)
        except HmzError as error:
            await self._refuse(error, answer, scope, receive)
        except Exception as error:  # whatever it is: its text stays here
            log.exception("a request failed unexpectedly")
            if answer.started:
                raise
            await self._refuse(error, answer, scope, receive)
        finally:
            self._tell(scope, answer, body.size, time.monotonic() - started_s)
        return answer

    def _tell(self, scope: Scope, answer: "_Answer", received: int, seconds: float) -> None:
        """Count an answer, and write a line; a query may hold a secret, so it is in neither."""
        route, method, status = _route(scope), scope["method"], answer.status
        sizes = {"received": received, "sent": answer.size}
        self.watch.requests.answered(route, method, status, seconds, **sizes)
        is_usual = scope["state"].get("is_usual") and status < FAILED
        level = logging.DEBUG if is_usual else logging.INFO
        if log.isEnabledFor(level):
            facts = {"method": method, "path": scope["path"], "route": route, "status": status}
            more = {**facts, "milliseconds": round(1000 * seconds, 1), **sizes}
            words = (method, scope["path"], status, 1000 * seconds)
            log.log(level, "%s %s %s %.0f ms", *words, extra={MORE: more})

    async def _refuse(
        self, error: Exception, answer: "_Answer", scope: Scope, receive: Receive
    ) -> None:
        response = await on_error(Request(scope), error)
        await response(scope, receive, answer)

    def _check(self, scope: Scope, headers: Headers) -> None:
        if "\0" in scope["path"]:  # PostgreSQL can neither keep nor look for it
            raise NotFound("There is nothing at this address.")
        if b"%00" in scope["query_string"]:
            raise RequestError("The character 0 is part of no text.")
        if sum(len(name) + len(value) for name, value in headers.raw) > MOST_HEAD_BYTES:
            raise RequestTooLarge(f"The headers have more than {MOST_HEAD_BYTES} bytes.")
        if self.names:
            _check_name(headers.get("host", ""), self.names)
            origin = headers.get("origin")
            if origin is not None and origin not in self.origins:
                _check_name(urlsplit(origin).netloc, self.names)
        protocol = headers.get(wire.PROTOCOL_HEADER, "")
        if protocol.isascii() and protocol.isdigit() and int(protocol) < wire.OLDEST_CLIENT:
            raise ClientTooOld(
                f"The client speaks protocol {protocol}; at least {wire.OLDEST_CLIENT} is needed."
            )


class _Answer:
    """Sends on what the application says, with the headers that every answer has."""

    def __init__(self, send: Send, number: str) -> None:
        self._send = send
        self._number = number
        self.status = 0
        self.size = 0

    @property
    def started(self) -> bool:
        """Whether the client has seen a part of the answer."""
        return self.status != 0

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[wire.REQUEST_ID_HEADER] = self._number
            headers[wire.PROTOCOL_HEADER] = str(wire.PROTOCOL_VERSION)
            for name, value in SAFE.items():
                headers[name] = value
        else:
            self.size += len(message.get("body", b""))
        await self._send(message)


class _Body:
    """Hands on what the client sends, and counts its bytes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.size = 0

    async def __call__(self) -> Message:
        """Receive one message."""
        message = await self._receive()
        self.size += len(message.get("body", b""))
        return message


def _describe(span: Span, scope: Scope, status: int) -> None:
    route, method = _route(scope), scope["method"]
    span.name(f"{method} {route}")
    span.tell(
        http__request__method=method,
        http__route=route,
        http__response__status_code=status,
        hmz__request=scope["state"]["request_id"],
        **{f"hmz__{name}": word for name, word in known().items()},
    )


def _route(scope: Scope) -> str:
    """Return the template of the route that answered; paths themselves would have no end."""
    route = scope["state"].get("route") or getattr(scope.get("route"), "path", NO_ROUTE)
    return str(route)


def _check_name(host: str, names: Collection[str]) -> None:
    name = re.sub(r":\d+$", "", host.lower())
    if name not in names:
        raise AddressRefused("The backend does not answer under this name.")
