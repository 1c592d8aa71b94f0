import json
import threading
from collections import Counter
from random import Random

import numpy as np
import pytest

from napari_hmz import errors
from napari_hmz.http import Http
from napari_hmz.schema import Absent, Problem, Wanted, wire
from napari_hmz.schema.digest import digest_fits
from napari_hmz.sources import Source
from napari_hmz.sources.keys import grid_of, key_of
from napari_hmz.testing.fake_source import FakeSource
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer
from napari_hmz.testing.slow_link import SlowLink
from napari_hmz.transfer import Traffic, Upload


def image() -> FakeSource:
    values = np.random.default_rng(0).integers(1, 256, (256, 512), dtype=np.uint8)
    return FakeSource(values, ("y", "x"), chunks={"y": 32, "x": 64})


def keys_of(source: Source) -> list[str]:
    return [key_of(source.request, index) for index in np.ndindex(grid_of(source.request))]


class Volume:
    """A volume on a server: wants all chunks of a source until it has them."""

    def __init__(self, server: ScriptedServer, source: Source) -> None:
        self.held: dict[str, bytes] = {}
        self.puts: Counter[str] = Counter()
        self.keys = keys_of(source)
        server.on("GET", wire.wanted("v"), self.wanted)
        server.on("PUT", wire.volume("v"), self.put)

    def wanted(self, _: Request) -> Answer:
        missing = [key for key in self.keys if key not in self.held]
        message = Wanted(keys=tuple(missing[:16]), credit=8, active=bool(missing))
        return Answer(200, message.model_dump_json().encode())

    def put(self, request: Request) -> Answer:
        key = request.path.removeprefix(wire.chunk("v", ""))
        if not digest_fits(request.headers["content-digest"], request.body):
            return Answer(400)  # torn, and nobody hears this
        self.puts[key] += 1
        self.held[key] = request.body
        return Answer(204)


def upload(url: str, source: Source) -> Upload:
    with Http(url) as http:
        one = Upload(http, "v", source, traffic=Traffic(), threads=4, patience_s=30.0)
        one.start()
        one.join(60.0)
        one.stop()
    return one


def test_all_arrives_though_connections_are_torn_again_and_again(server: ScriptedServer) -> None:
    source = image()
    volume = Volume(server, source)
    chance, over = Random(1), threading.Event()  # noqa: S311 # guards nothing
    with SlowLink(server.url, rtt_s=0.01, bytes_per_s=1e5) as link:

        def tear() -> None:
            while not over.wait(chance.uniform(0.02, 0.4)):
                link.cut()

        tearing = threading.Thread(target=tear)
        tearing.start()
        one = upload(link.url, source)
        over.set()
        tearing.join()
        assert link.connections > 10
    assert one.error is None
    assert volume.held == {key: source.chunk(key) for key in volume.keys}


def test_a_chunk_whose_answer_is_lost_is_sent_again_and_changes_nothing(
    server: ScriptedServer,
) -> None:
    source = image()
    volume = Volume(server, source)
    lost = set(volume.keys[:32:7])  # not the last: then nobody would wait for their answers

    def forgetful(request: Request) -> Answer:
        answer = volume.put(request)
        key = request.path.removeprefix(wire.chunk("v", ""))
        if key in lost:
            lost.discard(key)
            return Answer(200, b"torn", cut=0)
        return answer

    server.on("PUT", wire.volume("v"), forgetful)
    assert upload(server.url, source).error is None
    assert {key for key, count in volume.puts.items() if count > 1} == set(volume.keys[:32:7])
    assert volume.held == {key: source.chunk(key) for key in volume.keys}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_backend_that_is_busy_or_restarts_is_waited_for(
    server: ScriptedServer, status: int
) -> None:
    source = image()
    volume = Volume(server, source)
    refusals = iter(range(6))

    def busy(request: Request) -> Answer:
        if next(refusals, None) is not None:
            return Answer(status, headers={"Retry-After": "0"})
        return volume.put(request)

    server.on("PUT", wire.volume("v"), busy)
    assert upload(server.url, source).error is None
    assert set(volume.held) == set(volume.keys)


@pytest.mark.parametrize("kind", [errors.QuotaExceeded, errors.DiskFull])
def test_a_backend_without_room_ends_it_with_its_own_words(
    server: ScriptedServer, kind: type[errors.HmzError]
) -> None:
    source = image()
    volume = Volume(server, source)
    problem = Problem.model_validate_json(
        json.dumps(
            {
                "title": "x",
                "status": kind.status,
                "code": kind.code,
                "detail": "The disk of the server is full.",
                "remedy": "Ask its admin.",
            }
        )
    )

    def full(request: Request) -> Answer:
        if len(volume.held) < 5:
            return volume.put(request)
        return Answer(kind.status, problem.model_dump_json().encode())

    server.on("PUT", wire.volume("v"), full)
    one = upload(server.url, source)
    assert isinstance(one.error, kind)
    assert one.error.detail == "The disk of the server is full."
    assert one.error.remedy == "Ask its admin."


def test_announcing_what_is_absent_survives_a_lost_answer(server: ScriptedServer) -> None:
    empty = FakeSource(np.zeros((64, 64), np.uint8), ("y", "x"), chunks={"y": 32, "x": 32})
    volume, told = Volume(server, empty), list[str]()

    def absent(request: Request) -> Answer:
        told.extend(Absent.model_validate_json(request.body).keys)
        if len(told) < 2 * len(volume.keys) and len(set(told)) < len(volume.keys):
            return Answer(200, b"torn", cut=0)
        volume.held |= dict.fromkeys(told, b"")
        return Answer(204)

    server.on("POST", wire.absent("v"), absent)
    assert upload(server.url, empty).error is None
    assert set(told) == set(volume.keys)
    assert not volume.puts
