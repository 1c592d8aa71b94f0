"""Coarser levels made while chunks come: the same values in any order, whatever comes between."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore

from napari_hmz.errors import ChunkCorrupt
from napari_hmz.results.coarsening import Coarsening, Place
from napari_hmz.results.coarser import CoarserLevels

AXES: Any = ("z", "y", "x")
CHUNKS = (3, 4, 5)


class Pyramid:
    """Three levels of a volume in memory; the finest is filled chunk by chunk."""

    def __init__(
        self,
        values: "np.ndarray[Any, Any]",
        steps: Sequence[Sequence[int]],
        folder: Path | None = None,
    ) -> None:
        store = MemoryStore() if folder is None else LocalStore(folder)
        self.values = values
        self.arrays = [self._array(store, values.shape, 0)]
        shape = values.shape
        for number, step in enumerate(steps, start=1):
            shape = tuple(-(-extent // each) for extent, each in zip(shape, step, strict=True))
            self.arrays.append(self._array(store, shape, number))
        self.coarsenings = [
            Coarsening(fine, coarse, AXES, dict(zip(AXES, step, strict=True)), is_labels=False)
            for fine, coarse, step in zip(self.arrays, self.arrays[1:], steps, strict=False)
        ]
        counts = (-(-n // c) for n, c in zip(values.shape, CHUNKS, strict=True))
        self.places = list(np.ndindex(*counts))

    def write(self, place: Place, *, nothing: bool = False) -> None:
        part = tuple(slice(n * c, (n + 1) * c) for n, c in zip(place, CHUNKS, strict=True))
        self.arrays[0][part] = 0 if nothing else self.values[part]

    def coarse(self) -> list["np.ndarray[Any, Any]"]:
        return [np.asarray(array[...]) for array in self.arrays[1:]]

    def _array(self, store: Store, shape: Sequence[int], number: int) -> "zarr.Array[Any]":
        return zarr.create_array(
            store, name=str(number), shape=tuple(shape), chunks=CHUNKS, dtype="u2"
        )


def at_once(pyramid: Pyramid) -> list["np.ndarray[Any, Any]"]:
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    for place in pyramid.places:
        pyramid.write(place)
    levels.finish()
    return pyramid.coarse()


@settings(deadline=None, max_examples=40)
@given(st.data())
@pytest.mark.parametrize("on_disk", [False, True])
def test_levels_are_the_same_in_whatever_order_chunks_come(
    tmp_path_factory: pytest.TempPathFactory, on_disk: bool, data: st.DataObject
) -> None:
    shape = tuple(data.draw(st.integers(1, 23)) for _ in range(3))
    step = st.tuples(*[st.sampled_from([1, 2])] * 3)
    steps = data.draw(st.lists(step, min_size=1, max_size=2))
    values = np.random.default_rng(0).integers(1, 255, shape).astype("u2")
    pyramid = Pyramid(values, steps, tmp_path_factory.mktemp("p") if on_disk else None)
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    order = data.draw(st.permutations(pyramid.places))
    told = data.draw(st.integers(0, len(order)))  # the others came in an earlier process
    anew = data.draw(st.sets(st.sampled_from(order)))
    for place in order[:told]:
        pyramid.write(place, nothing=place in anew)
        levels.final(place)
    for place in order:
        pyramid.write(place)
        if place in anew:
            levels.changed(place)
    levels.finish()
    for found, expected in zip(pyramid.coarse(), at_once(Pyramid(values, steps)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_becomes_nothing_is_cleared_in_all_levels() -> None:
    pyramid = Pyramid(np.full((6, 8, 10), 7, "u2"), [(2, 2, 2)])
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    for place in pyramid.places:
        pyramid.write(place)
        levels.final(place)
    levels.finish()
    assert pyramid.coarse()[0].all()
    for place in pyramid.places:
        pyramid.write(place, nothing=True)
        levels.changed(place)
    levels.finish()
    assert not pyramid.coarse()[0].any()


def test_a_damaged_chunk_is_told_at_the_end(tmp_path: Path) -> None:
    pyramid = Pyramid(np.full((6, 8, 10), 7, "u2"), [(1, 2, 1)], tmp_path)
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    for place in pyramid.places:
        pyramid.write(place)
    (tmp_path / "0" / "c" / "0" / "0" / "0").write_bytes(b"no chunk")
    for place in pyramid.places:
        levels.final(place)
    with pytest.raises(ChunkCorrupt):
        levels.finish()


def test_little_is_left_to_do_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pyramid = Pyramid(np.full((12, 16, 20), 7, "u2"), [(2, 2, 2), (2, 2, 2)])
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    for place in pyramid.places:
        pyramid.write(place)
        levels.final(place)
    while levels._thread is not None:
        time.sleep(0.001)
    filled = list[Place]()
    monkeypatch.setattr(Coarsening, "fill", lambda _, place: filled.append(place))
    levels.finish()
    assert not filled
    assert all(level.all() for level in pyramid.coarse())


def test_what_still_waits_at_the_end_is_made_then_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pyramid = Pyramid(np.full((12, 16, 20), 7, "u2"), [(2, 2, 2), (2, 2, 2)])
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    filled = list[Place]()
    fill, go_on = Coarsening.fill, threading.Event()

    def slow(level: Coarsening, place: Place) -> None:
        filled.append((level.grid[0], *place))
        if len(filled) == 1:
            go_on.wait(10)
        fill(level, place)

    monkeypatch.setattr(Coarsening, "fill", slow)
    for place in pyramid.places:
        pyramid.write(place)
        levels.final(place)
    threading.Timer(0.05, go_on.set).start()
    levels.finish()
    levels.finish()
    assert all(level.all() for level in pyramid.coarse())
    assert len(filled) == len(set(filled))


def test_a_disk_that_is_full_meanwhile_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pyramid = Pyramid(np.full((6, 8, 10), 7, "u2"), [(2, 2, 2)])
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    fill = Coarsening.fill

    def full(level: Coarsening, place: Place) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Coarsening, "fill", full)
    for place in pyramid.places:
        pyramid.write(place)
        levels.final(place)
    with pytest.raises(OSError, match="No space"):
        levels.finish()
    monkeypatch.setattr(Coarsening, "fill", fill)
    levels.finish()
    assert pyramid.coarse()[0].all()


def test_of_a_flood_of_chunks_only_some_wait_and_the_rest_is_made_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_hmz.results.coarser._NEWS", 3)
    pyramid = Pyramid(np.full((12, 16, 20), 7, "u2"), [(2, 2, 2), (2, 2, 2)])
    levels = CoarserLevels(lambda: pyramid.coarsenings)
    climb, go_on = levels._climb, threading.Event()

    def slow(place: Place) -> None:
        go_on.wait(10)
        climb(place)

    monkeypatch.setattr(levels, "_climb", slow)
    for place in pyramid.places:
        pyramid.write(place)
        levels.final(place)
    assert len(levels._news) == 3
    go_on.set()
    levels.finish()
    assert all(level.all() for level in pyramid.coarse())
