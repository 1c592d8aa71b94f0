import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from napari_hmz.errors import SourceUnreadable
from napari_hmz.results.copied_image import image_array
from napari_hmz.sources import Source, open_source, reopen
from napari_hmz.sources.arrays import ArrayPixels
from napari_hmz.sources.keys import grid_of, key_of
from napari_hmz.sources.piece_cache import CachedPixels
from napari_hmz.sources.pixels import Box
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.testing.source_contract import received

SHAPE = (24, 1024, 1024)
PLANE_BYTES = 1024 * 1024


class Reads:
    """A lazy stack of planes that counts how often each is computed."""

    def __init__(self, shape: tuple[int, int, int], chunks: tuple[int, int, int]) -> None:
        self.counts: Counter[tuple[int, ...]] = Counter()
        self.lock = threading.Lock()
        grid = [range(0, size, chunk) for size, chunk in zip(shape, chunks, strict=True)]
        self.expected = sum(1 for _ in itertools.product(*grid))
        extents = tuple(
            tuple(min(chunk, size - at) for at in starts)
            for starts, chunk, size in zip(grid, chunks, shape, strict=True)
        )
        self.array = da.map_blocks(self._make, chunks=extents, dtype=np.uint8)

    def _make(self, block_info: Any = None) -> NDArray[np.uint8]:  # noqa: ANN401 # dask's own
        where = block_info[None]
        with self.lock:
            self.counts[tuple(where["chunk-location"])] += 1
        corner = sum(int(start) for start, _ in where["array-location"])
        return np.full(where["chunk-shape"], corner % 251 + 1, np.uint8)


def slabs_in_turn(source: Source, random: Random) -> list[str]:
    """Return all keys as a backend asks for them: slab by slab, in any order within."""
    request = source.request
    boxes: dict[tuple[int, ...], list[str]] = {}
    for index in itertools.product(*map(range, grid_of(request))):
        box = tuple(
            at * request.chunks[axis] // request.together[axis]
            for at, axis in zip(index, request.axes, strict=True)
        )
        boxes.setdefault(box, []).append(key_of(request, index))
    order = list(boxes.values())
    random.shuffle(order)
    for keys in order:
        random.shuffle(keys)
    return [key for keys in order for key in keys]


@pytest.mark.parametrize(
    ("chunks", "budget_planes"),
    [
        ((1, 1024, 1024), 8),
        ((1, 1024, 1024), 3),
        ((1, 512, 1024), 4),
        ((12, 1024, 1024), 24),
        (SHAPE, 24),
    ],
)
def test_hardly_a_piece_is_read_twice_when_slabs_come_in_turn(
    chunks: tuple[int, int, int], budget_planes: int
) -> None:
    reads = Reads(SHAPE, chunks)
    source = open_source(reads.array, axes="zyx", pieces_bytes=budget_planes * PLANE_BYTES)
    keys = slabs_in_turn(source, Random(0))  # noqa: S311 # guards nothing
    assert len(keys) > 4
    with ThreadPoolExecutor(6) as pool:
        assert all(chunk is not None for chunk in pool.map(source.chunk, keys))
    assert len(reads.counts) == reads.expected
    # a thread that was held up may find its plane gone
    assert max(reads.counts.values()) <= 2
    assert reads.counts.total() <= 1.2 * reads.expected


def test_what_is_held_and_decoded_at_once_stays_within_the_budget() -> None:
    held: list[int] = []
    decoding = 0
    lock = threading.Lock()

    class Planes(ArrayPixels):
        def read(self, box: Box) -> NDArray[Any]:
            nonlocal decoding
            with lock:
                decoding += PLANE_BYTES
                held.append(cached.kept_bytes + decoding)
            values = np.array(super().read(box))
            with lock:
                decoding -= PLANE_BYTES
            return values

    array = np.ones(SHAPE, np.uint8)
    cached = CachedPixels(Planes(array, ((1,) * 24, (1024,), (1024,))), 8 * PLANE_BYTES)
    boxes = [
        (slice(z, z + 4), slice(y, y + 128), slice(0, 1024))
        for z in range(0, 24, 4)
        for y in range(0, 1024, 128)
    ]
    with ThreadPoolExecutor(16) as pool:
        assert sum(int(part.sum()) for part in pool.map(cached.read, boxes)) == array.size
    # whoever has decoded a plane may not have counted it as kept yet
    assert max(held) <= (8 + 2) * PLANE_BYTES


def test_a_piece_that_cannot_be_held_is_refused_with_what_would_help() -> None:
    lazy = da.zeros((64, 64, 64), chunks=(64, 64, 64), dtype=np.uint16)
    with pytest.raises(SourceUnreadable, match=r"64 x 64 x 64.*524288 bytes") as caught:
        open_source(lazy, pieces_bytes=2**19 - 1)
    assert "memory_budget_bytes 2 times as large" in caught.value.remedy
    assert open_source(lazy, pieces_bytes=2**19).chunk("c/0/0/0") is None


def test_formats_stored_by_plane_say_what_is_read_together(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(1, 9, SHAPE, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", array, compression="zlib")
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file.create_dataset("data", data=array, chunks=(1, 1024, 1024), compression="gzip")
    for name in ("stack.tif", "stack.h5"):
        source = open_source(tmp_path / name, axes="zyx", pieces_bytes=8 * PLANE_BYTES)
        assert source.request.together == {"z": 2, "y": 1024, "x": 1024}
        np.testing.assert_array_equal(received(source), array)
        source.close()


def test_another_budget_does_not_change_what_was_announced(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(1, 9, SHAPE, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", array, compression="zlib")
    source = open_source(tmp_path / "stack.tif", pieces_bytes=8 * PLANE_BYTES)
    assert source.origin is not None
    again = reopen(source.origin, pieces_bytes=2 * PLANE_BYTES)
    assert again.request.fingerprint == source.request.fingerprint
    assert again.request == source.request
    for opened in (source, again):
        opened.close()


def test_a_copy_is_cut_no_thicker_than_what_is_read_at_once() -> None:
    lazy = da.zeros(SHAPE, chunks=(1, *SHAPE[1:]), dtype=np.uint8)
    source = open_source(lazy, pieces_bytes=8 * PLANE_BYTES)
    plan = fake_run().plan
    assert image_array(source.request, plan).chunks["z"] == source.request.together["z"] < 24
    assert image_array(open_source(np.zeros(SHAPE, np.uint8)).request, plan).chunks["z"] == 24


def test_what_a_reader_that_is_held_up_still_comes_to_is_kept() -> None:
    array = np.arange(16, dtype=np.uint8).reshape(16, 1, 1)
    begun, go_on = threading.Event(), threading.Event()
    counts: Counter[int] = Counter()

    class Slow(ArrayPixels):
        def read(self, box: Box) -> NDArray[Any]:
            plane = int(box[0].start)
            counts[plane] += 1
            if plane == 0:
                begun.set()
                assert go_on.wait(30)
            return super().read(box)

    cached = CachedPixels(Slow(array, ((1,) * 16, (1,), (1,))), limit_bytes=8)
    whole = (slice(0, 1), slice(0, 1))
    cached.read((slice(1, 2), *whole))
    with ThreadPoolExecutor(1) as pool:
        held_up = pool.submit(cached.read, (slice(0, 2), *whole))
        assert begun.wait(30)
        for plane in range(2, 16):
            cached.read((slice(plane, plane + 1), *whole))
        go_on.set()
        np.testing.assert_array_equal(held_up.result().ravel(), [0, 1])
    assert counts[1] == 1
    assert cached.kept_bytes <= 8
