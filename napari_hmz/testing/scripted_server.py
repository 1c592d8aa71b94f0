"""A real HTTP server on loopback that answers as a test tells it to.

Threads: the server runs in threads of its own; handlers are called there, several at once.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from napari_hmz.schema import wire


@dataclass(frozen=True, slots=True)
class Request:
    """What came: `path` without the query, headers with lower-case names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `cut` closes the connection after that many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


Handler = Callable[[Request], Answer]


class ScriptedServer:
    """Answers each request through the handler whose path is the longest prefix of its own.

    Every request is kept in `seen`, in the order of arrival.
    """

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_class(self.answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, handler: Handler) -> None:
        """Answer `method` on `path`, and on all below it, by `handler`."""
        self._handlers[(method, path)] = handler

    def answer(self, request: Request) -> Answer:
        """Return what the handlers say to `request`; 404 if there is none."""
        self.seen.append(request)
        fitting = [
            (len(path), handler)
            for (method, path), handler in self._handlers.items()
            if method == request.method and request.path.startswith(path)
        ]
        return max(fitting, key=lambda found: found[0])[1](request) if fitting else Answer(404)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler_class(answer: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Scripted(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10.0

        def log_message(self, *_: object) -> None:
            """Say nothing: the test reads `seen`."""

        def handle_any(self) -> None:
            self._send(answer(self._request()))

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 # the names are the library's

        def _request(self) -> Request:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Request(self.command, path, query, headers, self.rfile.read(length))

        def _send(self, reply: Answer) -> None:
            self.send_response(reply.status)
            named = {wire.PROTOCOL_HEADER: str(wire.PROTOCOL_VERSION), **reply.headers}
            for name, value in named.items():
                self.send_header(name, value)
            if reply.status != 204:  # no content, so no length
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            self.wfile.flush()
            self.close_connection = reply.cut is not None

    return Scripted
