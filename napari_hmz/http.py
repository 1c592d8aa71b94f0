"""Requests to a backend; only issuers are spoken to elsewhere (`auth/issuer.py`).

Threads: every method may be called from several threads at once; each request has a connection of
its own from the pool. Every call of the wire may be repeated (PUT by key, POST by fingerprint or
idempotency key), so all of them are, as long as nobody answers and patience lasts.
"""

import math
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from napari_hmz import errors
from napari_hmz.authorization import BearerAuth, Credential
from napari_hmz.errors import HmzError
from napari_hmz.patience import Patience, Waits
from napari_hmz.plain_http import plain_way
from napari_hmz.schema import Problem, wire
from napari_hmz.schema.base import Message
from napari_hmz.schema.digest import content_digest, digest_fits
from napari_hmz.server_events import ServerEvent, parse_events
from napari_hmz.version import __version__

T = TypeVar("T")
Params = Mapping[str, str | int | float]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SILENCE_S = 45.0  # on an event stream the backend gives a sign of life more often than this
_KEPT_OPEN = 160  # as many as all transfers can use at once: each new one costs round trips
_CODE_OF_STATUS: dict[int, type[HmzError]] = {
    401: errors.NotSignedIn,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.ChunkTooLarge,
    426: errors.ClientTooOld,
    429: errors.ServerBusy,
    502: errors.BackendUnreachable,
    503: errors.BackendUnreachable,
    504: errors.BackendUnreachable,
}
_REPEATED: tuple[type[HmzError], ...] = (
    errors.BackendUnreachable,
    errors.IssuerUnavailable,
    errors.ServerBusy,
    errors.DigestMismatch,
)


class Http:
    """Speaks with one backend.

    Parameters
    ----------
    url
        The backend's address.
    credential
        Asked for each request; what it returns goes into the `Authorization` header and
        nowhere else. None: requests go without.
    timeout_s
        How long one answer may take.
    patience_s
        How long a request is tried again while nobody answers, unless the call says otherwise.

    Raises
    ------
    SettingsInvalid
        If `url` is not an address.
    """

    def __init__(
        self,
        url: str,
        *,
        credential: Credential | None = None,
        timeout_s: float = 30.0,
        patience_s: float = 10.0,
    ) -> None:
        self.url = _checked_url(url)
        self._timeout_s = timeout_s
        self._closing = threading.Event()
        self._patience = Patience(patience_s, self._closing)
        self._shortest_s = math.inf
        # A proxy of the institute cannot reach this machine's own loopback.
        trust_env = urlsplit(self.url).hostname not in LOOPBACK
        self._client = httpx.Client(
            base_url=self.url,
            transport=plain_way(self.url, kept=_KEPT_OPEN, trust_env=trust_env),
            auth=None if credential is None else BearerAuth(credential),
            headers={
                wire.PROTOCOL_HEADER: str(wire.PROTOCOL_VERSION),
                "User-Agent": f"napari-hmz/{__version__}",
            },
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            # The threads of the transfers bound what is under way; the pool need not.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=_KEPT_OPEN),
            trust_env=trust_env,
        )

    @property
    def rtt_s(self) -> float:
        """The shortest time that any answer took, which is near the round-trip time; 0 at first."""
        return self._shortest_s if math.isfinite(self._shortest_s) else 0.0

    def get(
        self,
        path: str,
        answer: type[T] | TypeAdapter[T],
        *,
        params: Params | None = None,
        fresh: bool = False,
        timeout_s: float | None = None,
        patience: Patience | None = None,
    ) -> T:
        """Fetch a message; a `fresh` one tells what is there now, not a few seconds ago.

        Raises
        ------
        BackendUnreachable
            If nobody answers, or the answer is not that of a backend.
        HmzError
            Whatever the backend answers instead.
        """
        response = self._exchange(
            "GET",
            path,
            patience=patience,
            timeout_s=timeout_s,
            params=dict(params or {}),
            headers={"Cache-Control": wire.NO_CACHE} if fresh else {},
        )
        return _read(response, answer)

    def post(
        self,
        path: str,
        body: Message | None,
        answer: type[T] | TypeAdapter[T] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> T | None:
        """Send a message, and return the one that answers it; raises as `get` does."""
        content = b"" if body is None else body.model_dump_json().encode()
        response = self._exchange(
            "POST",
            path,
            patience=patience,
            content=content,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        return None if answer is None else _read(response, answer)

    def ask(
        self,
        path: str,
        body: Message | None,
        answer: type[T] | TypeAdapter[T],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Send a message that is answered by another; raises as `get` does."""
        response = self.post(path, body, answer, headers=headers)
        if response is None:
            raise errors.InternalError(f"POST {path} was not answered.")
        return response

    def delete(self, path: str) -> None:
        """Delete what is at `path`; raises as `get` does."""
        self._exchange("DELETE", path, patience=None)

    def put_bytes(self, path: str, body: bytes, *, patience: Patience | None = None) -> None:
        """Send bytes with their digest; raises as `get` does."""
        headers = {
            "Content-Type": wire.BYTES_TYPE,
            wire.DIGEST_HEADER: content_digest(body),
        }
        self._exchange("PUT", path, patience=patience, content=body, headers=headers)

    def get_bytes(
        self, path: str, *, patience: Patience | None = None, is_known: bool = False
    ) -> bytes:
        """Fetch bytes as they are stored, and compare them with their digest if one is given.

        Parameters
        ----------
        is_known
            Whether the caller knows the digest, and compares: then none is asked for.

        Raises
        ------
        NotFound
            If there is nothing at `path`.
        DigestMismatch
            If the bytes came damaged, again and again.
        """
        response = self._exchange(
            "GET",
            path,
            patience=patience,
            verify=True,
            headers={"Accept-Encoding": "identity"}
            | ({wire.WANT_DIGEST_HEADER: wire.NO_DIGEST} if is_known else {}),
        )
        return response.content

    def events(
        self, path: str, *, after: str = "", patience: Patience | None = None
    ) -> Iterator[ServerEvent]:
        """Yield server-sent events without end, taking up after the last one when cut off.

        The caller stops when it has read the last event; a stop of `patience` ends it, too.
        """
        patience = patience or Patience(self._patience.limit_s)
        waits, last = Waits(patience), after
        while not patience.stopped:
            failure: HmzError | None = None
            try:
                for event in self._stream(path, last):
                    if patience.stopped:
                        return
                    waits.reset()
                    if event is not None:
                        last = event.id or last
                        yield event
            except httpx.TransportError as error:
                failure = self._unreachable(error)
            except _REPEATED as error:
                failure = error
            if self._client.is_closed or not waits.wait():
                if patience.stopped:
                    return
                raise failure or errors.BackendUnreachable("The backend ended the event stream.")

    def _stream(self, path: str, last: str) -> Iterator[ServerEvent | None]:
        headers = {"Accept": wire.EVENTS_TYPE} | ({wire.LAST_EVENT_HEADER: last} if last else {})
        timeout = httpx.Timeout(self._timeout_s, read=_SILENCE_S)
        self._check_open()
        with self._client.stream("GET", path, headers=headers, timeout=timeout) as response:
            if not response.is_success:
                response.read()
                raise self._failure(response)
            yield from parse_events(response.iter_lines())

    def close(self) -> None:
        """Close all connections, and wait for no answer any more; closing twice is no error."""
        self._closing.set()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"Http({self.url!r})"

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        patience: Patience | None,
        verify: bool = False,
        timeout_s: float | None = None,
        **parts: Any,  # noqa: ANN401 # handed on to the HTTP library
    ) -> httpx.Response:
        waits = Waits(patience or self._patience)
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else httpx.Timeout(timeout_s)
        while True:
            pause_s = 0.0
            try:
                began_s = time.monotonic()
                response = self._client.request(method, path, timeout=timeout, **parts)
                self._shortest_s = min(self._shortest_s, time.monotonic() - began_s)
                if response.is_success:
                    return _verified(response) if verify else _spoken(response)
                failure, pause_s = self._failure(response), _retry_after_s(response)
            except httpx.TransportError as error:
                failure = self._unreachable(error)
                failure.__cause__ = error
            except (errors.DigestMismatch, errors.IssuerUnavailable) as error:
                failure = error
            except RuntimeError:  # so the library says that the client was closed meanwhile
                self._check_open()
                raise
            if not _worth_repeating(failure) or not waits.wait(pause_s):
                raise failure

    def _check_open(self) -> None:
        if self._client.is_closed:
            raise errors.BackendUnreachable(f"The connection to {self.url} was closed here.")

    def _unreachable(self, error: httpx.TransportError) -> HmzError:
        what = str(error) or type(error).__name__
        return errors.BackendUnreachable(f"{self.url} does not answer: {what}.")

    def _failure(self, response: httpx.Response) -> HmzError:
        request_id = response.headers.get(wire.REQUEST_ID_HEADER, "")
        try:
            problem = Problem.model_validate_json(response.content)
        except ValidationError:
            return self._unexplained(response, request_id)
        return errors.from_problem(
            problem.model_copy(update={"request_id": problem.request_id or request_id})
        )

    def _unexplained(self, response: httpx.Response, request_id: str) -> HmzError:
        status = response.status_code
        fallback = errors.InternalError if status >= httpx.codes.INTERNAL_SERVER_ERROR else None
        kind = _CODE_OF_STATUS.get(status, fallback or errors.RequestError)
        method, path = response.request.method, response.request.url.path
        detail = f"{self.url} answered {method} {path} with {status} {response.reason_phrase}."
        return kind(detail, request_id=request_id)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise errors.SettingsInvalid(
            "The backend's address must look like https://host[:port][/path].",
            remedy="Correct HMZ_URL, or the address in the call; the token stands in HMZ_TOKEN.",
        )
    return url.rstrip("/")


def _spoken(response: httpx.Response) -> httpx.Response:
    named = response.headers.get(wire.PROTOCOL_HEADER, "")
    if named.isdecimal() and int(named) < wire.OLDEST_BACKEND:
        raise errors.BackendTooOld(
            f"The backend speaks protocol {named}; this client needs {wire.OLDEST_BACKEND}."
        )
    return response


def _verified(response: httpx.Response) -> httpx.Response:
    if not digest_fits(response.headers.get(wire.DIGEST_HEADER), response.content):
        raise errors.DigestMismatch(f"{response.request.url.path} came damaged.")
    return _spoken(response)


def _read(response: httpx.Response, answer: type[T] | TypeAdapter[T]) -> T:
    adapter = answer if isinstance(answer, TypeAdapter) else TypeAdapter(answer)
    try:
        return adapter.validate_json(response.content)
    except ValidationError as error:
        raise errors.BackendUnreachable(
            f"The answer from {response.request.url} is not that of a napari-hmz backend.",
            request_id=response.headers.get(wire.REQUEST_ID_HEADER, ""),
        ) from error


def _worth_repeating(failure: HmzError) -> bool:
    cause: BaseException | None = failure.__cause__
    while cause is not None:
        if isinstance(cause, ssl.SSLError | httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return False
        cause = cause.__cause__ or cause.__context__
    return isinstance(failure, _REPEATED)


def _retry_after_s(response: httpx.Response) -> float:
    named = response.headers.get("Retry-After", "")
    return float(min(int(named), 30)) if named.isdecimal() else 0.0
