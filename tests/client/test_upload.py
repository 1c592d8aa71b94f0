import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.errors import HmzError
from napari_hmz.http import Http
from napari_hmz.schema import Absent, ArrayDocument, AxisName, Interval, VolumeRequest, Wanted, wire
from napari_hmz.schema.digest import digest_fits
from napari_hmz.sources.protocol import Origin
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer
from napari_hmz.transfer import Traffic, Upload

KEYS = tuple(f"c/0/{n}" for n in range(40))


class Chunks:
    """A source of one hundred bytes per chunk; some are absent, one may be broken."""

    def __init__(self, absent: frozenset[str] = frozenset(), broken: str = "") -> None:
        self.absent, self.broken = absent, broken
        self.reading = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def request(self) -> VolumeRequest:
        encoding = {"name": "default", "configuration": {"separator": "/"}}
        document = ArrayDocument(zarr_format=3, document={"chunk_key_encoding": encoding})
        return VolumeRequest(
            axes=("y", "x"),
            shape={"y": 1, "x": 10 * len(KEYS)},
            chunks={"y": 1, "x": 10},
            dtype="uint8",
            array=document,
            fingerprint="f" * 16,
        )

    @property
    def origin(self) -> Origin | None:
        return None

    def chunk(self, key: str) -> bytes | None:
        with self.lock:
            self.reading += 1
            self.most_at_once = max(self.most_at_once, self.reading)
        time.sleep(0.002)  # long enough for threads to meet
        with self.lock:
            self.reading -= 1
        if key == self.broken:
            raise errors.SourceUnreadable(f"Chunk {key} is damaged.")
        return None if key in self.absent else key.encode() * 20

    def place(self, key: str) -> str:
        return f"/images/a.zarr/{key}"

    def read(self, region: Mapping[AxisName, Interval]) -> NDArray[Any]:
        return np.zeros(1)

    def close(self) -> None: ...


class Staging:
    """What a backend does with a volume: wants keys until it holds them all."""

    def __init__(
        self, server: ScriptedServer, keys: tuple[str, ...] = KEYS, credit: int = 8, named: int = 16
    ) -> None:
        self.held: dict[str, bytes] = {}
        self.absent: set[str] = set()
        self.puts: list[str] = []
        self.keys, self.credit = keys, credit
        self.named, self.announcements = named, 0
        self.under_way = self.most_at_once = 0
        self.lock = threading.Lock()
        server.on("GET", wire.wanted("v"), self.wanted)
        server.on("PUT", wire.volume("v"), self.put)
        server.on("POST", wire.absent("v"), self.announce)

    def wanted(self, _: Request) -> Answer:
        missing = [key for key in self.keys if key not in self.held and key not in self.absent]
        time.sleep(0.005)  # so that chunks arrive while the answer is under way
        message = Wanted(
            keys=tuple(missing[: self.named]), credit=self.credit, active=bool(missing)
        )
        return Answer(200, message.model_dump_json().encode())

    def put(self, request: Request) -> Answer:
        key = request.path.removeprefix(wire.chunk("v", ""))
        with self.lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        time.sleep(0.002)
        with self.lock:
            self.under_way -= 1
            self.puts.append(key)
            self.held[key] = request.body
        assert digest_fits(request.headers["content-digest"], request.body)
        return Answer(204)

    def announce(self, request: Request) -> Answer:
        self.announcements += 1
        self.absent |= set(Absent.model_validate_json(request.body).keys)
        return Answer(204)


@pytest.fixture
def http(server: ScriptedServer) -> Iterator[Http]:
    with Http(server.url) as http:
        yield http


@pytest.fixture
def upload(http: Http) -> Iterator[Callable[..., Upload]]:
    made: list[Upload] = []

    def make(source: Chunks, traffic: Traffic, **options: Any) -> Upload:  # noqa: ANN401 # as Upload has them
        made.append(Upload(http, "v", source, traffic=traffic, **options))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()
        each.join(10.0)
        assert not each.alive


def test_sends_each_chunk_once_and_ends(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging, traffic = Staging(server), Traffic()
    upload(Chunks(), traffic).join(20.0)
    assert sorted(staging.puts) == sorted(KEYS)
    assert staging.held == {key: key.encode() * 20 for key in KEYS}
    assert traffic.chunks_up == len(KEYS)
    assert traffic.bytes_up == sum(len(body) for body in staging.held.values())


def test_absent_chunks_are_announced_and_not_sent(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging, traffic, absent = Staging(server), Traffic(), frozenset(KEYS[::2])
    upload(Chunks(absent), traffic).join(20.0)
    assert staging.absent == absent
    assert set(staging.puts) == set(KEYS) - absent
    assert traffic.counts.absent_up == len(absent)


def test_absent_chunks_are_announced_many_at_a_time(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    keys = tuple(f"c/{number}" for number in range(600))
    staging = Staging(server, keys, credit=4, named=512)
    upload(Chunks(frozenset(keys)), Traffic(), threads=2).join(20.0)
    assert staging.absent == set(keys)
    assert staging.announcements < 150  # at four a time, it were 150


@pytest.mark.parametrize("credit", [1, 3])
def test_honours_credit(server: ScriptedServer, upload: Callable[..., Upload], credit: int) -> None:
    staging, source = Staging(server, KEYS[:12], credit), Chunks()
    upload(source, Traffic(), threads=6).join(20.0)
    assert len(staging.held) == 12
    assert staging.most_at_once <= credit
    assert source.most_at_once <= credit


def test_several_connections_at_once(server: ScriptedServer, upload: Callable[..., Upload]) -> None:
    staging = Staging(server, credit=64)
    upload(Chunks(), Traffic(), threads=4).join(20.0)
    assert 1 < staging.most_at_once <= 4


def test_goes_on_after_a_lost_connection(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging, traffic, failures = Staging(server), Traffic(), iter([True, True, True])

    def lossy(request: Request) -> Answer:
        if next(failures, False):
            return Answer(200, b"xxxx", cut=1)
        return staging.put(request)

    server.on("PUT", wire.volume("v"), lossy)
    upload(Chunks(), traffic).join(20.0)
    assert set(staging.held) == set(KEYS)


def test_a_damaged_source_ends_it_with_the_reason(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    Staging(server)
    failed: list[HmzError] = []
    one = upload(Chunks(broken=KEYS[5]), Traffic(), failed=failed.append)
    one.join(20.0)
    assert isinstance(one.error, errors.SourceUnreadable)
    assert failed == [one.error]


def test_a_refused_chunk_ends_it(server: ScriptedServer, upload: Callable[..., Upload]) -> None:
    Staging(server)
    body = json.dumps({"title": "x", "status": 422, "code": "chunk-corrupt"}).encode()
    server.on("PUT", wire.chunk("v", KEYS[3]), lambda _: Answer(422, body))
    one = upload(Chunks(), Traffic())
    one.join(20.0)
    assert isinstance(one.error, errors.ChunkCorrupt)
    assert "Chunk c/0/3 (y 0:1, x 30:40), stored in /images/a.zarr/c/0/3" in one.error.detail


def test_what_the_backend_lost_is_sent_again(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging, lost = Staging(server), list(KEYS[:3])

    def forgetful(request: Request) -> Answer:
        if len(staging.held) == len(KEYS) and lost:
            del staging.held[lost.pop()]
        return staging.wanted(request)

    server.on("GET", wire.wanted("v"), forgetful)
    upload(Chunks(), Traffic()).join(20.0)
    assert set(staging.held) == set(KEYS)
    assert len(staging.puts) == len(KEYS) + 3


def test_stops_when_asked(server: ScriptedServer, upload: Callable[..., Upload]) -> None:
    staging = Staging(server)
    staging.keys = tuple(f"c/{n}" for n in range(10_000))
    one = upload(Chunks(), Traffic())
    while len(staging.puts) < 5:
        time.sleep(0.01)  # until it runs
    one.stop()
    one.join(10.0)
    assert not one.alive
    assert one.error is None


class HeldStaging(Staging):
    """A backend of which each block needs four chunks of their own."""

    def wanted(self, request: Request) -> Answer:
        first = int(dict(parse_qsl(request.query)).get("first", "0"))
        self.keys = KEYS[: 4 * first] if first else KEYS
        message = Wanted.model_validate_json(super().wanted(request).body)
        return Answer(200, message.model_copy(update={"active": True}).model_dump_json().encode())


def test_sends_what_the_first_results_need_until_they_are_seen(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging = HeldStaging(server)
    one = upload(Chunks(), Traffic(), held_s=600.0)
    _until(lambda: len(staging.puts) == 4)
    one.seen(shows=False)
    _until(lambda: len(staging.puts) == 8)
    assert set(staging.puts) == set(KEYS[:8])
    one.seen()
    _until(lambda: set(staging.puts) == set(KEYS))


def test_is_held_back_for_a_while_only(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging = HeldStaging(server)
    upload(Chunks(), Traffic(), held_s=0.5)
    _until(lambda: set(staging.puts) == set(KEYS))


def test_is_not_held_back_once_another_run_needs_it(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    staging = HeldStaging(server)
    one = upload(Chunks(), Traffic(), held_s=600.0)
    assert one.serve(Traffic(), lambda _: None)
    _until(lambda: set(staging.puts) == set(KEYS))


def _until(ready: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20.0
    while not ready():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)  # until the threads of the upload have come so far


def test_tells_what_the_time_goes_into(
    server: ScriptedServer, upload: Callable[..., Upload]
) -> None:
    Staging(server)
    traffic = Traffic()
    upload(Chunks(), traffic).join(20.0)
    counts = traffic.counts
    assert counts.reading_s >= 0.002 * len(KEYS)
    assert counts.sending_s >= 0.002 * len(KEYS)
    assert traffic.counts == counts
