"""Connections break, addresses change: a run goes on, and nothing is lost or told twice."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz.client import connect
from napari_hmz.local import Handshake
from napari_hmz.schema import AxisName, ChunkDone
from napari_hmz.testing.backend_process import BackendProcess

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
THRESHOLD = {"threshold": 36_000}
BLOCK: Mapping[AxisName, int] = {"z": 20, "y": 24, "x": 20}


class CuttingProxy:
    """Carries bytes to a backend, and cuts each connection after a random number of them."""

    def __init__(self, port: int, *, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)  # noqa: S311 # chooses where to cut, guards nothing
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts, self.mends = 0, threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                left = [self._random.randint(2_000, 60_000)]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._carry, args=(one, other, left), daemon=True
                    ).start()

    def _carry(self, one: socket.socket, other: socket.socket, left: list[int]) -> None:
        with suppress(OSError):  # the other direction has cut it
            while body := one.recv(4096):
                left[0] -= 0 if self.mends.is_set() else len(body)
                if left[0] < 0:
                    self.cuts += 1
                    break
                other.sendall(body)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def proxy(backend: BackendProcess) -> Iterator[CuttingProxy]:
    made = CuttingProxy(backend.port, seed=4)
    yield made
    made.close()


def test_a_run_goes_through_a_link_that_is_cut_again_and_again(
    *,
    backend: BackendProcess,
    proxy: CuttingProxy,
    state: Path,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    with connect(proxy.url, backend.token, state_dir=state, connections=2) as client:
        run = client.run(
            "components", zarr_of(image), parameters=THRESHOLD, block=BLOCK, output=output
        )
        numbers, final = [], []
        for event in run.watch():
            numbers.append(event.number)
            if isinstance(event, ChunkDone) and event.final:
                final.append(event.key)
        ended = run.wait(150)
        proxy.mends.set()
    assert proxy.cuts > 5
    assert numbers == sorted(set(numbers))  # each once, in order, although the stream was cut
    assert len(final) == len(set(final)) == ended.plan.blocks
    np.testing.assert_array_equal(written(output), labels_of(image))


def handshake(state: Path) -> Handshake:
    file = state / "backend-embedded/handshake.json"
    return Handshake.model_validate_json(file.read_bytes())


def await_end(pid: int) -> None:
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(0.02)  # a thread of the client takes its exit status


def test_the_backend_of_this_machine_is_found_at_its_new_address(
    *,
    state: Path,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    try:
        with connect(state_dir=state, data_dir=tmp_path / "data") as client:
            run = client.run(
                "components", zarr_of(image), parameters=THRESHOLD, block=BLOCK, output=output
            )
            next(event for event in run.watch() if isinstance(event, ChunkDone))
            first = handshake(state)
            os.kill(first.pid, 9)
        await_end(first.pid)
        with connect(state_dir=state, data_dir=tmp_path / "data") as client:  # starts it again
            assert handshake(state).pid != first.pid
            assert client.url == handshake(state).url
            assert client.attach(run.id).wait(150).state == "done"
        np.testing.assert_array_equal(written(output), labels_of(image))
    finally:
        os.kill(handshake(state).pid, 15)
