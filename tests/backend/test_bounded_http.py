"""What comes before a request is known has an end: headers that go on, and headers that stop."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hmz_backend import bounded_http
from hmz_backend.routes.gate import MOST_HEAD_BYTES
from hmz_backend.routes.problems import KServeProblem
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from napari_hmz.schema import Problem, wire

PIECE = 16 * 1024


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBackend]:
    folder: Path = tmp_path_factory.mktemp("heads")
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as found:
        yield found


def connected(backend: LiveBackend) -> socket.socket:
    host, port = backend.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_headers_that_are_too_long_are_refused_with_words(backend: LiveBackend) -> None:
    with backend.client(**{"X-More": "x" * (MOST_HEAD_BYTES + 1)}) as client:
        answer = client.get(wire.MODELS)
    assert answer.status_code == 413
    assert Problem.model_validate_json(answer.content).code == "request-too-large"


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-More: ",
        b"GET /v1/health HTTP/1.1\r\nX-",
        b"GET /v1/",
    ],
    ids=["value", "name", "path"],
)
def test_a_head_that_does_not_end_is_cut_off(backend: LiveBackend, begun: bytes) -> None:
    most = bounded_http.MOST_BYTES // PIECE + 64  # what may lie in the system's own buffers, too
    with connected(backend) as opened:
        opened.sendall(begun)
        with pytest.raises(ConnectionError):
            opened.sendall(b"x" * PIECE * 20 * most)
    assert httpx.get(backend.url + wire.HEALTH).status_code == 200


@pytest.mark.parametrize("path", [wire.HEALTH, f"{wire.KSERVE}/health/live"])
def test_what_is_no_http_is_answered_as_a_problem(backend: LiveBackend, path: str) -> None:
    with connected(backend) as opened:
        opened.sendall(f"GET {path} HTTP/1.1\r\nTransfer-Encoding: +[#H\r\n\r\n".encode())
        with opened.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert KServeProblem.model_validate_json(body).code == "request-malformed"
    assert b"nosniff" in head


@pytest.mark.parametrize("begun", [b"", b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_connection_that_asks_nothing_is_closed(
    backend: LiveBackend, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(bounded_http, "COMES_S", 0.3)
    with connected(backend) as opened:
        opened.sendall(begun)
        assert opened.recv(1) == b""


def test_a_request_that_takes_long_to_be_answered_is_not_cut_off(
    backend: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "COMES_S", 0.3)
    head = (
        f"PUT {wire.chunk('x', 'c/0')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200\r\n\r\n"
    )
    with connected(backend) as opened:
        opened.sendall(head.encode() + b"x")
        assert b"401" in opened.recv(4096)
