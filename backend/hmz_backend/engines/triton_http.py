"""Triton's HTTP side, for requests that are passed on as they are. Runs on the event loop.

Tiles of runs go over gRPC (`engines.triton`), which can be cancelled; a body that somebody else has
made for HTTP is not taken apart to go another way.
"""

import contextlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hmz_backend.engines.triton_name import network_name
from napari_hmz.errors import EngineBusy, EngineUnavailable

CONTROL_TIMEOUT_S = 120.0
"""For loading a model."""
PIECE_BYTES = 256 * 1024
MOST_FAULT_BYTES = 64 * 1024
OK = 200


@dataclass
class _Server:
    url: str
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of Triton, whose body comes as it is read."""

    status: int
    headers: Mapping[str, str]
    body: aiohttp.StreamReader

    async def fault(self) -> str:
        """Return what Triton says is wrong."""
        text = await self.body.read(MOST_FAULT_BYTES)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(text)["error"])
        return text.decode("utf-8", "replace")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        async for piece in self.body.iter_chunked(PIECE_BYTES):
            yield piece


@dataclass
class TritonHttp:
    """Several Triton servers; the one with the least to do takes the next request.

    Parameters
    ----------
    urls
        HTTP addresses.
    """

    urls: Sequence[str]
    _servers: list[_Server] = field(init=False)
    _session: aiohttp.ClientSession | None = None

    def __post_init__(self) -> None:
        """Begin with idle servers."""
        self._servers = [_Server(url.rstrip("/")) for url in self.urls]

    @asynccontextmanager
    async def infer(
        self,
        name: str,
        headers: Mapping[str, str],
        body: AsyncIterable[bytes] | bytes,
        *,
        timeout_s: float,
    ) -> AsyncIterator[Reply]:
        """Pass a request on to a model; closing early lets the answer go.

        Raises
        ------
        EngineUnavailable
            If Triton does not answer.
        EngineBusy
            If the answer is late.
        """
        server = min(self._servers, key=lambda each: each.in_flight)
        limit = aiohttp.ClientTimeout(total=timeout_s)
        server.in_flight += 1
        try:
            async with self._opened().post(
                f"{server.url}/v2/models/{name}/infer", data=body, headers=headers, timeout=limit
            ) as answer:
                yield Reply(answer.status, answer.headers, answer.content)
        except TimeoutError as error:
            raise EngineBusy(f"Triton did not answer within {timeout_s:.0f} s.") from error
        except aiohttp.ClientError as error:
            raise EngineUnavailable(f"Triton at {server.url} cannot be reached.") from error
        finally:
            server.in_flight -= 1

    async def load(self, name: str) -> None:
        """Load a model on all servers, and the network it may call; what is loaded stays."""
        for server in self._servers:
            for each in (network_name(name), name):  # a model without a network of its own: no harm
                async with self._asked("POST", server, f"/v2/repository/models/{each}/load"):
                    pass

    async def describe(self, name: str, what: str = "") -> dict[str, Any]:
        """Return the metadata of a model, or with `/config` its configuration.

        Raises
        ------
        EngineUnavailable
            If Triton does not answer, or has no such model.
        """
        async with self._asked("GET", self._servers[0], f"/v2/models/{name}{what}") as answer:
            if answer.status != OK:
                raise EngineUnavailable(f"Triton does not know the model {name}.")
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _asked(
        self, method: str, server: _Server, path: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        limit = aiohttp.ClientTimeout(total=CONTROL_TIMEOUT_S)
        try:
            async with self._opened().request(method, server.url + path, timeout=limit) as answer:
                yield answer
        except (TimeoutError, aiohttp.ClientError) as error:
            raise EngineUnavailable(f"Triton at {server.url} cannot be reached.") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # belongs to the event loop that it is made in
            connector = aiohttp.TCPConnector(limit=0)  # the window is what limits
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, read_bufsize=2 * PIECE_BYTES
            )
        return self._session
