"""What becomes of a request when the leader that it was passed on to is gone."""

import asyncio
import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from hmz_backend.peers.election import Election
from hmz_backend.peers.relay import Peers, Relay, open_session
from napari_hmz.testing.backend_process import free_port


class Succession:
    """An election in which a leader is gone, and this process leads from then on."""

    leads = True

    def __init__(self) -> None:
        self._leaders = [f"http://127.0.0.1:{free_port()}"]

    async def place(self) -> str:
        return self._leaders.pop() if self._leaders else ""

    async def end(self, leader: str) -> bool:
        await asyncio.Event().wait()
        return True

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        yield


class Caller:
    """The client's side of one request, who waits for the answer."""

    def __init__(self, body: bytes) -> None:
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]
        self.answered: list[Message] = []

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if not self._messages:
            await asyncio.Event().wait()
        return cast(Message, self._messages.pop(0))

    async def send(self, message: Message) -> None:
        self.answered.append(message)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(b"got " + body)(scope, receive, send)


def answer_to(method: str, body: bytes) -> bytes:
    caller = Caller(body)

    async def ask() -> None:
        session = open_session()
        peers = Peers(cast(Election, Succession()), session)
        app: Any = SimpleNamespace(state=SimpleNamespace(peers=peers))
        length = [(b"content-length", str(len(body)).encode())] if body else []
        scope = {
            "type": "http",
            "app": app,
            "method": method,
            "path": "/v1/x",
            "raw_path": b"/v1/x",
            "query_string": b"",
            "headers": [(b"host", b"here"), *length],
            "state": {},
        }
        try:
            async with asyncio.timeout(10):
                await Relay(echo)(scope, caller.receive, caller.send)
        finally:
            await session.close()

    asyncio.run(ask())
    return b"".join(message.get("body", b"") for message in caller.answered)


def test_a_request_that_nobody_took_is_answered_here_with_its_body() -> None:
    assert answer_to("POST", b"words") == b"got words"


def test_a_request_without_body_is_answered_here_as_well() -> None:
    assert answer_to("GET", b"") == b"got "
