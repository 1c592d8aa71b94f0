"""The relay: a process that does not lead passes requests on to the one that does, as they are.

Who calls, and whether they may, is found out by the leader. A request goes one step only: one that
has been passed on already is refused, and its sender learns meanwhile who leads now.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import aiohttp
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hmz_backend.peers.election import HOLD_S, LOOK_S, Election
from hmz_backend.peers.passage import PASSED_ON, Passage
from napari_hmz.errors import ServerBusy

CONNECT_S: Final = 5.0
BUFFER_BYTES: Final = 512 * 1024


@dataclass
class Peers:
    """The other server processes of the same backend, as far as this one needs them.

    Parameters
    ----------
    election
        Tells which of them leads.
    session
        Keeps connections to it.
    """

    election: Election
    session: aiohttp.ClientSession

    async def close(self) -> None:
        """Stand for election no more, and close the connections."""
        await self.election.stop()
        await self.session.close()


def open_session() -> aiohttp.ClientSession:
    """Return what keeps connections; it belongs to the event loop that it is made in."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # as many as there are requests
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=BUFFER_BYTES,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    )


class Relay:
    """ASGI middleware before everything that needs the leader.

    Parameters
    ----------
    app
        What answers where this process leads, or is the only one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request here, or have it answered by the leader."""
        peers = _peers(scope)
        if peers is None:
            await self.app(scope, receive, send)
            return
        end_s = time.monotonic() + HOLD_S
        state = scope.setdefault("state", {})
        while leader := await peers.election.place():
            state["route"] = PASSED_ON  # the leader knows the route
            passage = Passage(scope, receive, send)
            if PASSED_ON in passage.headers or time.monotonic() > end_s:
                raise ServerBusy("Another server process is about to lead.")
            end = asyncio.create_task(peers.election.end(leader))
            try:
                if await passage.take(leader, peers.session, end):
                    return
            finally:
                end.cancel()
            if not passage.has_body:
                receive = _from_the_start(receive)  # whoever looked out for the client has read on
            await asyncio.sleep(LOOK_S)  # nobody is there any more; the next leader will be known
        state.pop("route", None)
        with peers.election.answering():
            await self._answer(peers.election, scope, receive, send)

    async def _answer(self, election: Election, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here; what fails because this process has ceased to lead may be asked again."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if election.leads or has_begun:
                raise
            raise ServerBusy("This server process leads no more.") from error


def _from_the_start(receive: Receive) -> Receive:
    """Return what gives the messages of a request without body, though they were taken before."""
    has_begun = False

    async def given() -> Message:
        nonlocal has_begun
        if has_begun:
            return await receive()
        has_begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return given


def _peers(scope: Scope) -> Peers | None:
    if scope["type"] != "http":
        return None
    found: Peers | None = getattr(scope["app"].state, "peers", None)
    return found
