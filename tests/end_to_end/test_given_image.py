"""A run whose image was only in memory goes on once somebody has the image again.

What is finished of a run that was stopped can be looked at.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.client import Client
from napari_hmz.live import Begun, Ended, Filled, perform
from napari_hmz.schema import AxisName, Sizes, VolumeRequest
from napari_hmz.sources import Origin, Source, open_source
from napari_hmz.testing.backend_process import BackendProcess

SENT = 30
"""Of 60 chunks."""
PARAMETERS = {"threshold": 36000}
BLOCK: Sizes = {"z": 8, "y": 24, "x": 24}
CHUNKS: Sizes = {"z": 8, "y": 24, "x": 24}
Connect = Callable[..., Client]
MakeBlobs = Callable[..., NDArray[Any]]


class Interrupted:
    """A source of which only some chunks can be read before its process ends."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = threading.Semaphore(SENT)
        self.ended = threading.Event()

    @property
    def request(self) -> VolumeRequest:
        return self._source.request

    @property
    def origin(self) -> Origin | None:
        return self._source.origin

    def chunk(self, key: str) -> bytes | None:
        while not self._left.acquire(timeout=0.05):
            if self.ended.is_set():
                raise errors.SourceUnreadable("The process has ended.")
        return self._source.chunk(key)

    def place(self, key: str) -> str:
        return self._source.place(key)

    def read(self, region: Any) -> NDArray[Any]:  # noqa: ANN401 # as a source takes it
        return self._source.read(region)

    def close(self) -> None:
        self._source.close()


@pytest.fixture
def left(backend: BackendProcess, connected: Connect, blobs: MakeBlobs) -> tuple[str, NDArray[Any]]:
    """A run whose client has sent some chunks and ended; its image."""
    image = blobs()
    first = connected(backend)
    sizes: dict[AxisName, float] = {"z": 0.5, "y": 0.25, "x": 0.25}
    source = Interrupted(open_source(image, axes="zyx", voxel_size=sizes, chunks=CHUNKS))
    run = first.run("components", source, parameters=PARAMETERS, block=BLOCK)
    until(lambda: run.info().progress.chunks_held == SENT)
    first.close()
    source.ended.set()
    return run.id, image


def until(ready: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the backend is asked, and tells no other way


def test_the_image_is_taken_from_whoever_has_it(
    left: tuple[str, NDArray[Any]],
    backend: BackendProcess,
    connected: Connect,
    labels_of: Callable[..., NDArray[Any]],
) -> None:
    run_id, image = left
    client = connected(backend)
    changed = image.copy()
    changed[0, 0, 0] += 1
    with pytest.raises(errors.Conflict, match="as it was when run"):
        client.attach(run_id, source=changed)
    with pytest.raises(errors.Conflict):
        client.attach(run_id, source=image[1:])
    assert client.info(run_id).state not in ("failed", "cancelled")
    again = client.attach(run_id, source=[image, image[:, ::2, ::2]])  # as a pyramid has it
    again.wait(120)
    np.testing.assert_array_equal(np.asarray(again.array()[...]), labels_of(image))


def test_who_has_no_image_is_told_so(
    left: tuple[str, NDArray[Any]],
    backend: BackendProcess,
    connected: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id, _ = left
    run = connected(backend).attach(run_id)
    until(lambda: run.info().progress.waiting_for == "chunks")
    assert run.wait(1.5).state == "running"
    until(lambda: run.wait(0.6).state == "running" and "does not know where" in caplog.text)
    assert caplog.text.count("does not know where") == 1
    assert "give the image" in run.standing().lack
    run.cancel()


def test_what_is_finished_of_a_cancelled_run_is_shown(
    left: tuple[str, NDArray[Any]], backend: BackendProcess, connected: Connect
) -> None:
    run_id, image = left
    client = connected(backend)
    until(lambda: client.info(run_id).progress.blocks_done > 0)
    client.cancel(run_id)
    begun, *updates = perform(lambda: client.attach(run_id))
    assert isinstance(begun, Begun)
    assert isinstance(updates[-1], Ended)
    assert updates[-1].run.state == "cancelled"
    filled = [update.region for update in updates if isinstance(update, Filled)]
    blocks = {tuple(sorted(region.items())) for region in filled}  # joins fill some again
    assert len(blocks) == client.info(run_id).progress.blocks_done
    shown = begun.canvases["labels"].array
    for region in filled:
        part = tuple(slice(*region[axis]) for axis in ("z", "y", "x"))
        np.testing.assert_array_equal(shown[part] > 0, image[part] > PARAMETERS["threshold"])
    assert np.count_nonzero(shown) < np.count_nonzero(image > PARAMETERS["threshold"])
