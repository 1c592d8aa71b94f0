"""The passage of one request to another server process, and of its answer back, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from yarl import URL

from hmz_backend.watch.traces import passed_on
from napari_hmz.errors import ServerBusy
from napari_hmz.schema import wire

PASSED_ON: Final = "hmz-passed-on"
GONE: Final = "The server process that answered is being started again."
_OF_ONE_CONNECTION: Final = frozenset(
    {
        "connection",
        "date",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are not passed on."""


@dataclass
class Passage:
    """Passes one request on.

    Parameters
    ----------
    scope, receive, send
        The request.
    """

    scope: Scope
    receive: Receive
    send: Send
    _is_read: bool = False
    _is_answered: bool = False
    _is_streamed: bool = False
    _sent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_body(self) -> bool:
        """Whether the request has a body."""
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return Headers(scope=self.scope)

    async def take(
        self, address: str, session: aiohttp.ClientSession, end: "asyncio.Task[bool]"
    ) -> bool:
        """Return True once the request is answered; False if nobody is there to answer.

        Parameters
        ----------
        address
            Where the other process is.
        session
            Keeps connections to it.
        end
            Ends with True when that process leads no more, with False when this one stops.

        Raises
        ------
        ServerBusy
            If one of the two has gone before the answer: the client may repeat the request.
        """
        try:
            await self._taken(asyncio.create_task(self._pass(address, session)), end)
        except aiohttp.ClientError as error:
            if self._is_answered:
                raise  # the client sees that the answer is cut off
            if isinstance(error, aiohttp.ClientConnectorError) and not self._is_read:
                return False
            raise ServerBusy(GONE) from error
        return True

    async def _taken(self, passing: "asyncio.Task[None]", end: "asyncio.Task[bool]") -> None:
        left = asyncio.create_task(self._left())
        try:
            await asyncio.wait([passing, left, end], return_when=asyncio.FIRST_COMPLETED)
            if end.done() and not self._may_be_cut(is_led_by_another=end.result()):
                await asyncio.wait([passing, left], return_when=asyncio.FIRST_COMPLETED)
        finally:
            passing.cancel()
            left.cancel()
            await asyncio.wait([passing, left])
        if not passing.cancelled():
            passing.result()
        elif left.cancelled():
            await self._cut()

    def _may_be_cut(self, *, is_led_by_another: bool) -> bool:
        """Return whether the client asks by itself for the rest of the answer, or for all again."""
        if self._is_answered:
            return self._is_streamed
        return is_led_by_another or self.scope["method"] == "GET"

    async def _cut(self) -> None:
        if not self._is_answered:
            raise ServerBusy(GONE)
        await self.send({"type": "http.response.body"})

    async def _left(self) -> None:
        """Return once the client has gone."""
        if self.has_body:
            await self._sent.wait()
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _pass(self, address: str, session: aiohttp.ClientSession) -> None:
        self.scope["state"]["is_usual"] = True  # the other process writes the line in the log
        method, headers = self.scope["method"], self._passed_headers()
        path = self.scope["raw_path"].decode("ascii")
        query = self.scope["query_string"].decode("ascii")
        url = URL(f"{address}{path}{'?' * bool(query)}{query}", encoded=True)
        body = self._body() if self.has_body else None
        async with session.request(
            method, url, headers=headers, data=body, allow_redirects=False
        ) as answer:
            await self._answer(answer)

    async def _answer(self, answer: aiohttp.ClientResponse) -> None:
        headers = [
            (name.lower(), value)
            for name, value in answer.raw_headers
            if name.decode("latin-1").lower() not in _OF_ONE_CONNECTION
        ]
        self._is_answered = True
        self._is_streamed = answer.content_type == wire.EVENTS_TYPE
        await self.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        async for piece in answer.content.iter_any():
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.send({"type": "http.response.body"})

    def _passed_headers(self) -> list[tuple[str, str]]:
        given = [item for item in self.headers.items() if item[0] not in _OF_ONE_CONNECTION]
        number = str(self.scope.get("state", {}).get("request_id", ""))
        own = {wire.REQUEST_ID_HEADER.lower(): number, PASSED_ON: "1", **passed_on()}
        return [*(item for item in given if item[0] not in own), *own.items()]

    async def _body(self) -> AsyncIterator[bytes]:
        self._is_read = is_more = True
        while is_more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise aiohttp.ClientConnectionError
            is_more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._sent.set()
