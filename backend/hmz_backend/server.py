"""uvicorn with two additions: word once it listens, and streams that end when it stops."""

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from hmz_backend.app import retire
from hmz_backend.bounded_http import BoundedHttp
from hmz_backend.settings import Settings
from napari_hmz.errors import SettingsInvalid

_MALLOC_OPTIONS = {
    -1: 256 * 2**20,  # M_TRIM_THRESHOLD: what may lie about unused
    -3: 32 * 2**20,  # M_MMAP_THRESHOLD, the most it can be: larger blocks are mapped one by one
    -8: 2,  # M_ARENA_MAX: with one arena per thread, each would keep memory of its own
}
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Serves the application on one socket.

    Parameters
    ----------
    config
        uvicorn's.
    on_listening
        Called once requests are answered.
    on_stopping
        Awaited before no new requests are taken: long answers should end.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM, and do not raise them again: whoever called cleans up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {kind: signal.signal(kind, self.handle_exit) for kind in STOPPING}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End long answers, then stop."""
        await self._on_stopping()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: Settings, on_listening: Callable[[], None]) -> Server:
    """Return a server for an application made by `build_app`."""
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        log_config=None,
        access_log=False,  # the gate writes one line per request, with its id
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.stop_patience_s)),
    )
    return Server(config, on_listening, lambda: retire(app))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound already, so that its port is known.

    Raises
    ------
    SettingsInvalid
        If the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise SettingsInvalid(
            f"The backend cannot listen on {host}:{port}: {error.strerror}.",
            remedy="Choose another port (--port 0 takes any free one).",
        ) from error
    return opened


def address_of(opened: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def write_handshake(path: Path, url: str, token: str) -> None:
    """Write how to reach this backend, readable by its owner only, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    body = json.dumps({"url": url, "token": token, "pid": os.getpid()})
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(body)
    temporary.replace(path)


def keep_memory() -> None:
    """Have the C library keep freed memory for the next tile; does nothing where it is not glibc.

    Chunks and tiles come and go by the megabyte. Given back to the system each time, they would
    cost a page fault per 4 KiB again; kept, the process stays as large as it has been at most.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return
    for option, value in _MALLOC_OPTIONS.items():
        set_option(option, value)


def leave_alone_what_stays() -> None:
    """Let the garbage collector look no more at what is there by now: it stays until the end.

    Modules, routes and tables are a quarter of a million objects. To look at them all takes a
    seventh of a second, again and again, in which no thread of Python goes on and nobody is
    answered. What is garbage already goes first: later nothing would find it.
    """
    gc.collect()
    gc.freeze()
