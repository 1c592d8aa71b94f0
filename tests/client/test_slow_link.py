import threading
import time

import httpx
import pytest

from napari_hmz.errors import BackendUnreachable
from napari_hmz.http import Http
from napari_hmz.patience import Patience
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer
from napari_hmz.testing.slow_link import SlowLink

BODY = bytes(range(256)) * 4000


def echo(request: Request) -> Answer:
    return Answer(200, request.body)


@pytest.fixture
def echoing(server: ScriptedServer) -> ScriptedServer:
    server.on("PUT", "/", echo)
    return server


def seconds(client: httpx.Client, body: bytes) -> float:
    started = time.perf_counter()
    assert client.put("/", content=body).content == body
    return time.perf_counter() - started


def test_everything_comes_through_unchanged(echoing: ScriptedServer) -> None:
    with SlowLink(echoing.url) as link, httpx.Client(base_url=link.url) as client:
        seconds(client, BODY)
        assert min(link.carried_bytes) >= len(BODY)


def test_an_answer_takes_a_round_trip_and_a_connection_another(echoing: ScriptedServer) -> None:
    with SlowLink(echoing.url, rtt_s=0.2) as link, httpx.Client(base_url=link.url) as client:
        assert seconds(client, b"x") >= 0.4
        assert seconds(client, b"x") >= 0.2
        assert link.connections == 1


def test_all_connections_share_the_rate(echoing: ScriptedServer) -> None:
    with SlowLink(echoing.url, bytes_per_s=8e6) as link, httpx.Client(base_url=link.url) as client:
        threads = [threading.Thread(target=seconds, args=(client, BODY)) for _ in range(4)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.perf_counter() - started >= 4 * len(BODY) / 8e6
        assert link.connections == 4


def test_a_cut_tears_what_is_under_way_and_nothing_later(echoing: ScriptedServer) -> None:
    with SlowLink(echoing.url, bytes_per_s=2e6) as link, Http(link.url, patience_s=0) as http:
        timer = threading.Timer(0.1, link.cut)
        timer.start()
        with pytest.raises(BackendUnreachable):
            http.put_bytes("/", BODY)
        http.put_bytes("/", BODY[:1000], patience=Patience(5.0))


def test_the_round_trip_time_is_found_out(echoing: ScriptedServer) -> None:
    with SlowLink(echoing.url, rtt_s=0.2) as link, Http(link.url) as http:
        assert http.rtt_s == 0
        for _ in range(3):
            http.put_bytes("/", b"x")
        assert 0.2 <= http.rtt_s < 0.4
