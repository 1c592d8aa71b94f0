"""A user of a live backend, in plain HTTP: announces, answers what is wanted, follows, reads."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.schema import ENDED, EVENT, Event, Run, Volume, Wanted, wire


@dataclass
class User:
    """Does what a client does, step by step.

    Parameters
    ----------
    http
        Signed in.
    array, chunks
        The image, and the extents of its chunks.
    """

    http: httpx.Client
    array: NDArray[Any]
    chunks: Sequence[int]
    more: dict[str, Any] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    volume: str = ""

    def announce(self) -> Volume:
        """Announce the image."""
        request = announcement(self.array, self.chunks, **self.more)
        answer = self.post(wire.VOLUMES, json.loads(request.model_dump_json()))
        found = Volume.model_validate_json(answer.content)
        self.volume = found.id
        return found

    def post(self, path: str, body: Any, status: int = 0, **headers: str) -> httpx.Response:  # noqa: ANN401 # JSON
        """Post JSON; any error status is a failure unless it is the one given."""
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.status_code == status if status else answer.is_success, answer.text
        return answer

    def start(self, model: str, *, key: str = "", **request: Any) -> Run:  # noqa: ANN401 # fields
        """Start a run on the image."""
        headers = {wire.IDEMPOTENCY_HEADER: key} if key else {}
        body = {"model": model, "volume": self.volume, **request}
        return Run.model_validate_json(self.post(wire.RUNS, body, 201, **headers).content)

    def wanted(self, timeout_s: float = 5.0) -> Wanted:
        """Ask what is wanted."""
        answer = self.http.get(wire.wanted(self.volume), params={"timeout_s": timeout_s})
        return Wanted.model_validate_json(answer.content)

    def put(self, key: str, body: bytes, **headers: str) -> httpx.Response:
        """Send one chunk."""
        self.sent.append(key)
        return self.http.put(wire.chunk(self.volume, key), content=body, headers=headers)

    def feed(self, stop: threading.Event) -> None:
        """Send what is wanted, until nothing is needed any more or `stop` is set."""
        bodies = encoded_chunks(self.array, self.chunks)
        while not stop.is_set():
            wanted = self.wanted(0.2)
            for key in wanted.keys:
                self.put(key, bodies[key]).raise_for_status()
                if stop.is_set():
                    return

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Send what is wanted from a thread."""
        stop = threading.Event()
        thread = threading.Thread(target=self.feed, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """Follow a run until it ends."""
        headers = {wire.LAST_EVENT_HEADER: str(after)}
        with self.http.stream("GET", wire.events(run), headers=headers) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    event = EVENT.validate_json(line.removeprefix("data: "))
                    yield event
                    if event.kind == "state" and event.state in ENDED:
                        return

    def finish(self, run: str) -> Run:
        """Feed until the run has ended."""
        with self.feeding():
            list(self.events(run))
        return self.get(run)

    def get(self, run: str) -> Run:
        """Look at a run."""
        return Run.model_validate_json(self.http.get(wire.run(run)).content)

    def output(self, run: str, name: str) -> NDArray[Any]:
        """Read an output over HTTP, through zarr."""
        values = {"zarr.json": self.http.get(wire.output(run, name, "zarr.json")).content}
        document = json.loads(values["zarr.json"])
        chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
        pairs = zip(document["shape"], chunks, strict=True)
        for index in np.ndindex(*(-(-extent // chunk) for extent, chunk in pairs)):
            key = "/".join(["c", *map(str, index)])
            answer = self.http.get(wire.output(run, name, key))
            assert answer.status_code in (200, 404)
            if answer.status_code == 200:
                values[key] = answer.content
        buffers = default_buffer_prototype().buffer
        store = MemoryStore({key: buffers.from_bytes(body) for key, body in values.items()})
        return np.asarray(zarr.open_array(store, mode="r")[...])
