"""A loopback proxy that behaves as a long or thin wire does: it delays, limits the rate, and tears.

```
client ──► read ─► window ─► shared rate ─► delay ──► backend      and the same way back
```

Both directions have the full rate, shared by all connections. A connection begins with a small
window that grows with what arrives, as TCP's slow start does; lost packets are not simulated.

Threads: an event loop of its own in a thread of its own; the methods may be called from any thread.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

_PIECE_BYTES = 16 * 2**10
"""What one connection sends before it is another's turn."""
_FIRST_WINDOW_BYTES = 10 * 1460
_LARGEST_WINDOW_BYTES = 4 * 2**20
"""Linux lets the buffers of a connection grow about so far."""
_BURST_S = 0.005
"""How late the loop may wake without losing rate."""


@dataclass
class _Rate:
    """One direction of the wire: what it carries is carried one piece after another."""

    bytes_per_s: float
    carried_bytes: int = 0
    _free_at_s: float = 0.0

    async def carry(self, size_bytes: int) -> None:
        now_s = asyncio.get_running_loop().time()
        start_s = max(self._free_at_s, now_s - _BURST_S)
        self._free_at_s = start_s + size_bytes / self.bytes_per_s
        self.carried_bytes += size_bytes
        if self._free_at_s > now_s:
            await asyncio.sleep(self._free_at_s - now_s)


class _Window:
    """What one connection may have on the wire; doubles with each round trip."""

    def __init__(self) -> None:
        self._limit_bytes = _FIRST_WINDOW_BYTES
        self._out_bytes = 0
        self._room = asyncio.Event()

    async def take(self, size_bytes: int) -> None:
        while self._out_bytes and self._out_bytes + size_bytes > self._limit_bytes:
            self._room.clear()
            await self._room.wait()
        self._out_bytes += size_bytes

    def acknowledge(self, size_bytes: int) -> None:
        self._out_bytes -= size_bytes
        self._limit_bytes = min(self._limit_bytes + size_bytes, _LARGEST_WINDOW_BYTES)
        self._room.set()


class SlowLink:
    """Stands before a backend while the context lasts; `url` is what the client is given.

    Parameters
    ----------
    url
        Of the backend.
    rtt_s
        What a byte takes there and back.
    bytes_per_s
        The rate of each direction.
    """

    def __init__(self, url: str, *, rtt_s: float = 0.0, bytes_per_s: float = 1e12) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._rtt_s = rtt_s
        self._up, self._down = _Rate(bytes_per_s), _Rate(bytes_per_s)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow-link")
        self.connections = 0
        """How many were made so far."""
        self.url = ""

    @property
    def carried_bytes(self) -> tuple[int, int]:
        """What went up and down so far, headers included."""
        return self._up.carried_bytes, self._down.carried_bytes

    def cut(self) -> None:
        """Tear every connection, whatever is on its way; new ones can be made at once."""
        self._in_loop(self._cut()).result()

    def __enter__(self) -> Self:
        self._thread.start()
        server = self._in_loop(asyncio.start_server(self._serve, "127.0.0.1", 0)).result()
        self._server: asyncio.Server = server
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._in_loop(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:  # so that the end can wait for it
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        await asyncio.sleep(self._rtt_s)  # a connection is made by one round trip
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there = await asyncio.open_connection(self._host, self._port)
            self._open |= {writer, there[1]}
            try:
                await asyncio.gather(
                    self._carry(reader, there[1], self._up),
                    self._carry(there[0], writer, self._down),
                )
            finally:
                self._open -= {writer, there[1]}
                there[1].transport.abort()
        writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: _Rate
    ) -> None:
        """Carry one direction of a connection to its end, then hand the end on."""
        window, wire = _Window(), asyncio.Queue[tuple[float, bytes]]()
        delivery = asyncio.create_task(self._deliver(wire, writer, window))
        try:
            while piece := await reader.read(_PIECE_BYTES):
                await window.take(len(piece))
                await rate.carry(len(piece))
                wire.put_nowait((self._loop.time() + self._rtt_s / 2, piece))
            wire.put_nowait((self._loop.time() + self._rtt_s / 2, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(
        self,
        wire: "asyncio.Queue[tuple[float, bytes]]",
        writer: asyncio.StreamWriter,
        window: _Window,
    ) -> None:
        while True:
            due_s, piece = await wire.get()
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            if not piece:
                writer.write_eof()
                return
            writer.write(piece)
            self._loop.call_later(self._rtt_s / 2, window.acknowledge, len(piece))
