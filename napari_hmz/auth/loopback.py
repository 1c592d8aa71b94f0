"""The address of this machine that the browser comes back to, and the page that it sees there.

Threads: the server answers in threads of its own; `wait` and `tell` are called in one other.
"""

import hmac
import html
import os
import queue
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from napari_hmz.auth.issuer import LOOPBACK
from napari_hmz.errors import SignInFailed

POLL_S = 0.1
_TOLD_S = 60.0  # how long the browser waits to hear how it went
_SPEECH_S = 3.0  # how long we wait until it has heard
_SILENCE_S = 10.0  # of a connection on which nothing is asked: browsers open some in advance
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>napari-hmz</title>
<style>body{{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em;
color-scheme:light dark}}</style><h1>{title}</h1><p>{text}</p></html>"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


class Loopback:
    """Listens for the browser's return with the right `state`, once.

    Parameters
    ----------
    redirects
        The addresses to choose from: the first whose port is free; without a port, any is.
    state
        What the return must bring; anything else is turned away and waited past.

    Attributes
    ----------
    redirect
        The address to return to.

    Raises
    ------
    SignInFailed
        If an address is not of this machine, or no port is free.
    """

    def __init__(self, redirects: Sequence[str], state: str) -> None:
        self._state = state
        self._returned: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        self._outcome: tuple[str, str] | None = None
        self._told, self._heard = threading.Event(), threading.Event()
        self._first = threading.Lock()
        self._server, self.redirect = _listening(redirects, _handler_class(self))
        self._path = urlsplit(self.redirect).path
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="hmz-sign-in", daemon=True
        )
        self._thread.start()

    def wait(self, patience_s: float, cancelled: threading.Event) -> dict[str, str]:
        """Return the parameters that the browser brought.

        Raises
        ------
        SignInFailed
            If it does not come in time, or the person gives up.
        """
        end_s = time.monotonic() + patience_s
        while time.monotonic() < end_s and not cancelled.is_set():
            try:
                return self._returned.get(timeout=POLL_S)
            except queue.Empty:
                continue
        raise SignInFailed(
            "Signing in was cancelled."
            if cancelled.is_set()
            else f"The browser has not come back within {patience_s:.0f} s."
        )

    def tell(self, title: str, text: str) -> None:
        """Let the browser's page say how it went."""
        self._outcome = (title, text)
        self._told.set()
        self._heard.wait(_SPEECH_S)

    def close(self) -> None:
        """Listen no more."""
        self._told.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def page(self, target: str) -> tuple[int, str]:
        """Return status and page for what a browser asks for."""
        parts = urlsplit(target)
        if parts.path != self._path and (parts.path, self._path) != ("/", ""):
            return 404, _page("Not here", "Nothing is to be seen at this address.")
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not hmac.compare_digest(given.get("state", "").encode(), self._state.encode()):
            return 400, _page("Not this sign-in", "This page does not belong to the sign-in.")
        if self._first.acquire(blocking=False):  # a page that is loaded again brings nothing new
            self._returned.put(given)
        self._told.wait(_TOLD_S)
        title, text = self._outcome or ("Over", "Nobody waits for this sign-in any more.")
        return 200, _page(title, text)

    def heard(self) -> None:
        """Note that the browser has its page."""
        if self._outcome is not None:
            self._heard.set()


def _page(title: str, text: str) -> str:
    return _PAGE.format(title=html.escape(title), text=html.escape(text))


class _Server(ThreadingHTTPServer):
    # A fixed port is free again at once; on Windows the option would let others listen there, too.
    allow_reuse_address = os.name != "nt"
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listening(
    redirects: Sequence[str], handler: type[BaseHTTPRequestHandler]
) -> tuple[_Server, str]:
    for redirect in redirects:
        parts = urlsplit(redirect)
        host = parts.hostname or ""
        if parts.scheme != "http" or host not in LOOPBACK:
            raise SignInFailed(f"The browser may not be sent to {redirect}.")
        kind, address = (_Server6, "::1") if host == "::1" else (_Server, "127.0.0.1")
        try:
            server = kind((address, parts.port or 0), handler)
        except OSError:  # somebody listens there
            continue
        named = f"[{host}]" if ":" in host else host
        return server, f"http://{named}:{server.server_address[1]}{parts.path}"
    raise SignInFailed(
        f"No port is free for the browser to come back to: {', '.join(redirects)}.",
        remedy="End what listens there (it may be another sign-in), and try again.",
    )


def _handler_class(loopback: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENCE_S

        def do_GET(self) -> None:  # the library's name
            status, page = loopback.page(self.path)
            self._answer(status, page, _HEADERS)
            loopback.heard()

        def _answer(self, status: int, page: str, headers: Mapping[str, str]) -> None:
            body = page.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the library's
            """Write nothing: the address has the code in it."""

    return Handler
