"""How requests travel: over the standard library's HTTP/1.1, each body in one piece.

httpx's own way copies what it receives four times, in pieces of 64 KiB, with a step of its state
machine for each. For chunks of some MiB that costs several times what the system does for them.
What is above (addresses, tokens, headers, errors) stays httpx's; proxies do, too, where there are.

```
request ──► an idle connection, or a new one ──► answer read whole ──► the connection is idle again
                                            └──► event stream, read as it comes ──► closed
```

Threads: any number at once; each request has a connection for itself.
"""

import http.client
import select
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from socket import SHUT_RDWR
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from napari_hmz.schema import wire

_PIECE_BYTES = 2**16
Failure = type[httpx.TransportError]


def plain_way(url: str, *, kept: int, trust_env: bool) -> "PlainHttp | None":
    """Return the way to the server at `url`; none if a proxy stands between.

    Parameters
    ----------
    kept
        How many idle connections are kept at most.
    trust_env
        Whether the environment may name a proxy.
    """
    parts = urlsplit(url)
    proxies = getproxies() if trust_env else {}
    if proxies.keys() & {parts.scheme, "all"} and not proxy_bypass(parts.netloc):
        return None
    return PlainHttp(kept)


class PlainHttp(httpx.BaseTransport):
    """Carries the requests to one server.

    Parameters
    ----------
    kept
        How many idle connections are kept at most.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._open: set[http.client.HTTPConnection] = set()
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer, whole or, for events, as a stream.

        Raises
        ------
        httpx.TransportError
            If the server cannot be reached, or breaks off.
        """
        timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
        connection = self._taken() or self._connected(request.url, timeouts.get("connect"))
        try:
            connection.sock.settimeout(timeouts.get("read"))
            with _meaning(httpx.WriteTimeout, httpx.WriteError):
                _send(connection, request)
            with _meaning(httpx.ReadTimeout, httpx.ReadError):
                answer = connection.getresponse()
                headers = answer.getheaders()
                if request.headers.get("Accept") == wire.EVENTS_TYPE:
                    stream = _Events(self, connection, answer)
                    return httpx.Response(answer.status, headers=headers, stream=stream)
                with answer:  # closed, however far it came
                    body = answer.read()
        except BaseException:  # whatever it is, what is left in the connection is of no use
            self.drop(connection)
            raise
        self._give_back(connection)
        return httpx.Response(answer.status, headers=headers, content=body)

    def drop(self, connection: http.client.HTTPConnection) -> None:
        """Close a connection."""
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections; whoever waits for an answer is told at once."""
        with self._lock:
            self._closed = True
            left, self._open = self._open, set()
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for connection in left.difference(idle):
            with suppress(OSError, AttributeError):  # it ends by itself just now
                connection.sock.shutdown(SHUT_RDWR)  # its own thread closes it then

    def _taken(self) -> http.client.HTTPConnection | None:
        """Return an idle connection that the server has not closed; none if there is none."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or not _has_word(connection):
                return connection
            self.drop(connection)

    def _connected(self, url: httpx.URL, timeout_s: float | None) -> http.client.HTTPConnection:
        connection = self._made(url, timeout_s)
        try:
            with _meaning(httpx.ConnectTimeout, httpx.ConnectError):
                connection.connect()
        except httpx.TransportError:
            connection.close()
            raise
        with self._lock:
            self._open.add(connection)
        return connection

    def _made(self, url: httpx.URL, timeout_s: float | None) -> http.client.HTTPConnection:
        if url.scheme == "https":
            return http.client.HTTPSConnection(
                url.host, url.port or 443, timeout=timeout_s, context=self._trust
            )
        if url.scheme == "http":
            return http.client.HTTPConnection(url.host, url.port or 80, timeout=timeout_s)
        raise httpx.UnsupportedProtocol(f"{url.scheme}:// is not spoken here.")

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            is_kept = (
                not self._closed
                and connection.sock is not None  # as the server wishes
                and len(self._idle) < self._kept
            )
            if is_kept:
                self._idle.append(connection)
        if not is_kept:
            self.drop(connection)


class _Events(httpx.SyncByteStream):
    """An answer without end, as it comes."""

    def __init__(
        self,
        way: PlainHttp,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
    ) -> None:
        self._way, self._connection, self._answer = way, connection, answer

    def __iter__(self) -> Iterator[bytes]:
        with _meaning(httpx.ReadTimeout, httpx.ReadError):
            while piece := self._answer.read1(_PIECE_BYTES):
                yield piece

    def close(self) -> None:
        """Close the connection: what would still come in it is of no use."""
        self._answer.close()
        self._way.drop(self._connection)


def _send(connection: http.client.HTTPConnection, request: httpx.Request) -> None:
    target = request.url.raw_path.decode("ascii")
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("latin-1"), value)
    connection.endheaders(request.read() or None)


@contextmanager
def _meaning(late: Failure, broken: Failure) -> Iterator[None]:
    """Turn what the standard library raises into what httpx would have raised."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(str(error) or type(error).__name__) from error
    except ValueError as error:  # a header or an address that cannot be sent
        raise httpx.LocalProtocolError(str(error)) from error


def _has_word(connection: http.client.HTTPConnection) -> bool:
    """Return whether an idle connection can be read: then the server has closed it."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([connection.sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
