import threading
from collections.abc import Iterator

import httpx
import pytest

from napari_hmz.plain_http import PlainHttp, plain_way
from napari_hmz.schema import wire
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer

EVENTS = {"Accept": wire.EVENTS_TYPE}


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, transport=PlainHttp(kept=4), timeout=5.0) as client:
        yield client


def test_carries_method_path_headers_and_body(server: ScriptedServer, client: httpx.Client) -> None:
    server.on("PUT", "/a", lambda request: Answer(201, request.body[::-1], {"X-Said": "yes"}))
    answer = client.put("/a/b%20c?d=e", content=b"body", headers={"X-Asked": "now"})
    assert (answer.status_code, answer.content, answer.headers["x-said"]) == (201, b"ydob", "yes")
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.query) == ("PUT", "/a/b%20c", "d=e")
    assert seen.headers["x-asked"] == "now"
    assert seen.headers["host"] == httpx.URL(server.url).netloc.decode()


def test_large_bodies_come_whole(server: ScriptedServer, client: httpx.Client) -> None:
    body = bytes(range(256)) * 2**14
    server.on("GET", "/", lambda _: Answer(200, body))
    assert client.get("/x").content == body


def test_a_connection_that_the_server_has_closed_is_not_used(
    server: ScriptedServer, client: httpx.Client
) -> None:
    server.on("GET", "/", lambda _: Answer(200, b"x", {"Connection": "close"}))
    assert [client.get("/x").content for _ in range(3)] == [b"x"] * 3


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}])
def test_an_answer_that_is_cut_is_an_error(
    server: ScriptedServer, client: httpx.Client, headers: dict[str, str]
) -> None:
    server.on("GET", "/", lambda _: Answer(200, b"a whole body", headers, cut=3))
    with pytest.raises(httpx.TransportError):
        client.get("/x")


def test_an_answer_that_is_late_is_an_error(server: ScriptedServer, client: httpx.Client) -> None:
    go_on = threading.Event()

    def slow(_: Request) -> Answer:
        go_on.wait(10.0)
        return Answer(200)

    server.on("GET", "/", slow)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/x", timeout=0.2)
    go_on.set()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("http://127.0.0.1:9/", httpx.ConnectError), ("ftp://x/", httpx.UnsupportedProtocol)],
)
def test_nobody_to_speak_with(url: str, kind: type[Exception]) -> None:
    with httpx.Client(transport=PlainHttp(kept=4)) as client, pytest.raises(kind):
        client.get(url)


def test_a_header_that_cannot_be_sent(client: httpx.Client) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        client.get("/x", headers={"X-Bad": "a\nb"})


def test_closing_ends_the_wait_for_events(server: ScriptedServer) -> None:
    server.on("GET", "/", lambda _: Answer(200, b"data: 1\n\n" * 3, cut=9))
    client = httpx.Client(base_url=server.url, transport=PlainHttp(kept=4))
    with client.stream("GET", "/x", headers=EVENTS) as answer:
        assert next(answer.iter_bytes()).startswith(b"data: 1")
    client.close()


@pytest.mark.parametrize(
    ("environment", "trusted", "is_plain"),
    [
        ({}, True, True),
        ({"http_proxy": "http://proxy:3128"}, True, False),
        ({"all_proxy": "http://proxy:3128"}, True, False),
        ({"https_proxy": "http://proxy:3128"}, True, True),
        ({"http_proxy": "http://proxy:3128", "no_proxy": ".here"}, True, True),
        ({"http_proxy": "http://proxy:3128"}, False, True),
    ],
)
def test_a_proxy_is_left_to_httpx(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    trusted: bool,
    is_plain: bool,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelt in (name, name.upper()):
            monkeypatch.delenv(spelt, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    way = plain_way("http://backend.here:80", kept=1, trust_env=trusted)
    assert (way is not None) == is_plain
    if way is not None:
        way.close()
