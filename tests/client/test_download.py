import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from napari_hmz import errors
from napari_hmz.http import Http
from napari_hmz.schema import (
    EVENT,
    ChunkDone,
    Event,
    OutputArray,
    Progress,
    Progressed,
    StateChanged,
    wire,
)
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer
from napari_hmz.transfer import Download, FetchedChunk, OutputStore, Traffic

RUN = "r"
OUTPUT = OutputArray(
    name="labels",
    kind="instance-labels",
    axes=("y", "x"),
    shape={"y": 50, "x": 70},
    chunks={"y": 16, "x": 32},
    dtype="uint32",
)


class Finished:
    """An output on a server, with the events that tell of it."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.truth = np.random.default_rng(0).integers(0, 2**31, (50, 70)).astype("uint32")
        self.truth[:16, :32] = 0
        self.files = stored(self.truth)
        self.events: list[Event] = []
        server.on("GET", wire.output(RUN, "labels"), self.get)
        server.on("GET", wire.events(RUN), self.stream)

    def get(self, request: Request) -> Answer:
        key = request.path.removeprefix(wire.output(RUN, "labels"))
        return Answer(200, self.files[key]) if key in self.files else Answer(404)

    def stream(self, request: Request) -> Answer:
        last = int(request.headers.get("last-event-id", 0))
        rest = [event for event in self.events if event.number > last]
        text = "".join(f"id: {e.number}\ndata: {EVENT.dump_json(e).decode()}\n\n" for e in rest)
        return Answer(200, text.encode(), {"Content-Type": wire.EVENTS_TYPE}, cut=2000)

    def tell_chunk(self, key: str, *, final: bool = True, digest: str | None = None) -> None:
        y, x = (int(part) for part in key.split("/")[1:])
        found = hashlib.sha256(self.files[key]).hexdigest() if key in self.files else ""
        self.events.append(
            ChunkDone(
                number=len(self.events) + 1,
                output="labels",
                key=key,
                region={"y": (16 * y, min(16 * y + 16, 50)), "x": (32 * x, min(32 * x + 32, 70))},
                final=final,
                digest=found if digest is None else digest,
            )
        )

    def tell_all(self) -> None:
        for y in range(4):
            for x in range(3):
                self.tell_chunk(f"c/{y}/{x}")

    def tell_end(self) -> None:
        self.events.append(StateChanged(number=len(self.events) + 1, state="done"))


def stored(values: NDArray[Any]) -> dict[str, bytes]:
    held: dict[str, Buffer] = {}
    array = zarr.create_array(
        MemoryStore(held), shape=values.shape, chunks=(16, 32), dtype=values.dtype
    )
    array[:] = values
    return {key: value.to_bytes() for key, value in held.items()}


class Picture:
    """A sink that puts the chunks together."""

    def __init__(self) -> None:
        self.array = np.full((50, 70), 7, "uint32")
        self.taken: list[tuple[str, bool]] = []

    def __call__(self, chunk: FetchedChunk) -> None:
        y, x = chunk.done.region["y"], chunk.done.region["x"]
        self.array[slice(*y), slice(*x)] = chunk.values
        self.taken.append((chunk.done.key, chunk.done.final))


@pytest.fixture
def finished(server: ScriptedServer) -> Finished:
    return Finished(server)


@pytest.fixture
def http(server: ScriptedServer) -> Iterator[Http]:
    with Http(server.url, patience_s=1.0) as http:
        yield http


def fetch(http: Http, sink: Picture, **options: Any) -> tuple[Download, Traffic]:  # noqa: ANN401 # as Download has them
    traffic = Traffic()
    download = Download(http, RUN, (OUTPUT,), sink, traffic=traffic, **options)
    download.start()
    assert download.join(20.0)
    return download, traffic


def test_every_final_chunk_arrives_though_the_stream_breaks(finished: Finished, http: Http) -> None:
    finished.tell_all()
    finished.tell_end()
    picture = Picture()
    download, traffic = fetch(http, picture)
    assert download.error is None
    np.testing.assert_array_equal(picture.array, finished.truth)
    assert traffic.chunks_down == 11  # the twelfth is all fill value and not stored
    assert traffic.bytes_down == sum(len(b) for k, b in finished.files.items() if k != "zarr.json")


def test_provisional_chunks_come_only_if_wanted(finished: Finished, http: Http) -> None:
    finished.tell_chunk("c/1/1", final=False)
    finished.tell_chunk("c/1/1")
    finished.tell_end()
    picture = Picture()
    fetch(http, picture)
    assert picture.taken == [("c/1/1", True)]


def test_the_final_version_stands_at_the_end(finished: Finished, http: Http) -> None:
    for _ in range(20):
        finished.tell_chunk("c/1/1", final=False, digest="0" * 64)  # overtaken on the backend
        finished.tell_chunk("c/2/1", final=False)
    finished.tell_chunk("c/1/1")
    finished.tell_chunk("c/2/1")
    finished.tell_end()
    picture = Picture()
    download, _ = fetch(http, picture, wants=lambda _: True)
    assert download.error is None
    assert picture.taken[-1][1]
    assert {key for key, final in picture.taken if final} == {"c/1/1", "c/2/1"}
    np.testing.assert_array_equal(picture.array[16:48, 32:64], finished.truth[16:48, 32:64])


def test_a_slow_provisional_chunk_never_covers_the_final_one(
    finished: Finished, http: Http
) -> None:
    final = finished.files["c/1/1"]
    old = stored(finished.truth // 2)["c/1/1"]
    finished.tell_chunk("c/1/1", final=False, digest=hashlib.sha256(old).hexdigest())
    finished.tell_chunk("c/1/1")
    finished.tell_end()
    answers = [old, final]

    def slow_at_first(request: Request) -> Answer:
        if not request.path.endswith("c/1/1"):
            return finished.get(request)
        body = answers.pop(0)
        time.sleep(0.5 if body is old else 0.0)  # until the final one would have come by
        return Answer(200, body)

    told = finished.stream(Request("GET", wire.events(RUN), "", {}, b"")).body.index(b"\n\n") + 2

    def first_one_then_the_rest(request: Request) -> Answer:
        answer = finished.stream(request)
        is_first = "last-event-id" not in request.headers
        return Answer(200, answer.body, answer.headers, cut=told if is_first else None)

    finished.server.on("GET", wire.events(RUN), first_one_then_the_rest)
    finished.server.on("GET", wire.output(RUN, "labels"), slow_at_first)
    picture = Picture()
    fetch(http, picture, wants=lambda _: True)
    assert picture.taken[-1] == ("c/1/1", True)
    np.testing.assert_array_equal(picture.array[16:32, 32:64], finished.truth[16:32, 32:64])


def test_a_final_chunk_with_another_digest_is_an_error(finished: Finished, http: Http) -> None:
    finished.tell_chunk("c/1/1", digest="0" * 64)
    finished.tell_end()
    picture = Picture()
    download, _ = fetch(http, picture)
    assert isinstance(download.error, errors.DigestMismatch)
    assert picture.taken == []


def test_a_final_chunk_that_is_made_again_meanwhile_is_taken_at_the_end(
    finished: Finished, http: Http
) -> None:
    finished.tell_all()
    finished.tell_end()
    lost = {"c/1/1": [Answer(404)], "c/0/1": [Answer(200, b"torn")] * 3}

    def get(request: Request) -> Answer:
        left = lost.get(request.path.removeprefix(wire.output(RUN, "labels")))
        return left.pop() if left else finished.get(request)

    finished.server.on("GET", wire.output(RUN, "labels"), get)
    picture = Picture()
    download, _ = fetch(http, picture)
    assert download.error is None
    np.testing.assert_array_equal(picture.array, finished.truth)
    assert {key for key, _ in picture.taken[-2:]} == set(lost)


def test_an_error_of_the_sink_ends_it(finished: Finished, http: Http) -> None:
    finished.tell_all()
    finished.tell_end()

    class Full(Picture):
        def __call__(self, chunk: FetchedChunk) -> None:
            raise errors.DiskFull

    download, _ = fetch(http, Full())
    assert isinstance(download.error, errors.DiskFull)


def test_unknown_events_are_left_out(finished: Finished, http: Http) -> None:
    finished.tell_all()
    finished.tell_end()
    known = finished.stream

    def newer(request: Request) -> Answer:
        strange = b"id: 0\ndata: " + json.dumps({"kind": "weather", "number": 0}).encode() + b"\n\n"
        answer = known(request)
        return Answer(200, strange + answer.body, answer.headers)

    finished.server.on("GET", wire.events(RUN), newer)
    picture = Picture()
    download, _ = fetch(http, picture)
    assert download.error is None
    np.testing.assert_array_equal(picture.array, finished.truth)


def test_output_reads_as_a_zarr_array(finished: Finished, http: Http) -> None:
    store = OutputStore(http, RUN, "labels")
    array = zarr.open_array(store, mode="r")
    np.testing.assert_array_equal(array[:], finished.truth)
    with pytest.raises(ValueError, match="read"):
        zarr.open_array(store, mode="r+")
    assert store == OutputStore(http, RUN, "labels")
    assert store != OutputStore(http, RUN, "image")


def test_progress_does_not_matter(finished: Finished, http: Http) -> None:
    finished.events.append(Progressed(number=1, progress=Progress()))
    finished.tell_end()
    assert fetch(http, Picture())[0].error is None
