"""HTTP as uvicorn speaks it, with an end to what comes before a request is known.

Headers are collected by the parser until the last of them has come, however many there are and
however long that takes: the gate sees them only then.
"""

import asyncio
from http import HTTPStatus
from secrets import token_hex
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hmz_backend.routes.gate import SAFE
from hmz_backend.routes.problems import for_kserve
from napari_hmz.errors import RequestError, RequestMalformed, RequestTooLarge
from napari_hmz.schema import to_problem, wire

MOST_BYTES: Final = 256 * 1024
"""Of a request's line and headers; the gate has a lower limit, and words for it."""
COMES_S: Final = 30.0
"""How long they may take to come."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _came: int = 0
    _is_known: bool = True
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless headers do not end."""
        super().data_received(data)
        self._came = 0 if self._is_known else self._came + len(data)
        if self._came > MOST_BYTES:
            self._refuse(RequestTooLarge(f"The headers have more than {MOST_BYTES} bytes."))

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as all errors are answered, and end."""
        self._refuse(RequestMalformed(msg))

    def on_message_begin(self) -> None:
        """Begin to count: a request's first bytes have come."""
        super().on_message_begin()
        self._is_known = False
        self._await_head()

    def on_headers_complete(self) -> None:
        """Count no longer: the request is known."""
        self._is_known = True
        self._stop_waiting()
        super().on_headers_complete()

    def _refuse(self, error: RequestError) -> None:
        # Which protocol it was to be is not known: clients of either can read this.
        problem = for_kserve(to_problem(error, token_hex(8)))
        body = problem.model_dump_json().encode()
        headers = {
            "Content-Type": wire.PROBLEM_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
            wire.REQUEST_ID_HEADER: problem.request_id,
            **SAFE,
        }
        status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"
        head = "\r\n".join([status, *(f"{name}: {value}" for name, value in headers.items())])
        self.transport.write(head.encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def _await_head(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(COMES_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _give_up(self) -> None:
        self.transport.close()
