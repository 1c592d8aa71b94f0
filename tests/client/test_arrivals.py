"""A chunk that is written here is read here, as soon as it has come."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import arrivals
from napari_hmz.arrivals import Arrivals
from napari_hmz.schema import ChunkDone, OutputArray
from napari_hmz.transfer import FetchedChunk

OUTPUT = OutputArray(
    name="o",
    kind="image",
    axes=("y", "x"),
    shape={"y": 4, "x": 4},
    chunks={"y": 4, "x": 4},
    dtype="uint8",
)


def chunk(*, final: bool = True) -> FetchedChunk:
    done = ChunkDone(
        number=1,
        output="o",
        key="c/0/0",
        region={"y": (0, 4), "x": (0, 4)},
        final=final,
        digest="d",
    )
    return FetchedChunk(OUTPUT, done, b"", b"")


class Table:
    """A shelf for one chunk."""

    def __init__(self) -> None:
        self.taken: FetchedChunk | None = None

    def wants(self, done: ChunkDone, /) -> bool:
        return done.final and self.taken is None

    def take(self, chunk: FetchedChunk, /) -> None:
        self.taken = chunk

    def read(self, done: ChunkDone, /) -> NDArray[Any] | None:
        return None if self.taken is None else self.taken.values


def test_a_final_chunk_is_waited_for() -> None:
    made = Arrivals(Table(), lambda: False)
    later = threading.Timer(0.1, made.take, [chunk()])
    later.start()
    found = made.read(chunk().done)
    later.join()
    assert found is not None
    np.testing.assert_array_equal(found, np.zeros((4, 4)))


def test_what_will_not_come_is_not_waited_for() -> None:
    over = Arrivals(Table(), lambda: True)
    began = time.monotonic()
    assert over.read(chunk().done) is None
    assert Arrivals(Table(), lambda: False).read(chunk(final=False).done) is None
    assert time.monotonic() - began < arrivals.PATIENCE_S / 2


def test_what_comes_too_late_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PATIENCE_S", 0.1)
    assert Arrivals(Table(), lambda: False).read(chunk().done) is None
