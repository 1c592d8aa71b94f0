"""A proxy that gives each connection to the next backend: what a balancer does, and no more."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024


@dataclass
class RoundRobin:
    """Listens on a free port of 127.0.0.1 while the context lasts.

    Parameters
    ----------
    urls
        The backends; may be changed at any time. One that does not answer is left out.

    Attributes
    ----------
    taken
        How many connections each has had, by URL.
    """

    urls: Sequence[str]
    url: str = ""
    taken: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    def __enter__(self) -> Self:
        """Start in a thread."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(10.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self.urls:
            self._turn += 1
            url = self.urls[self._turn % len(self.urls)]
            try:
                away, back = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            except OSError:
                continue
            self.taken[url] = self.taken.get(url, 0) + 1
            await asyncio.gather(_copy(reader, back), _copy(away, writer))
            return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one of the two sides ends."""
    try:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
