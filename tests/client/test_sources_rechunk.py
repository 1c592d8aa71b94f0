import itertools
import math
from collections import Counter
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_hmz.sources import open_source
from napari_hmz.sources.arrays import ArrayPixels
from napari_hmz.sources.chunk_shape import LARGEST_BYTES, slab, stored_extents, suitable_chunks
from napari_hmz.sources.piece_cache import PIECES_BYTES, CachedPixels
from napari_hmz.sources.pixels import Box, Pieces, uniform
from napari_hmz.testing.source_contract import received

DTYPES = ["bool", "uint8", "int16", ">u2", "uint32", "float32", "<f8", ">f4"]


def random_array(shape: tuple[int, ...], dtype: str, seed: int = 0) -> NDArray[Any]:
    values = np.random.default_rng(seed).integers(0, 5, shape)
    return (values > 2 if dtype == "bool" else values).astype(dtype)


@st.composite
def splits(draw: st.DrawFn, extent: int) -> tuple[int, ...]:
    cuts = draw(st.sets(st.integers(1, extent - 1), max_size=5)) if extent > 1 else set()
    edges = [0, *sorted(cuts), extent]
    return tuple(stop - start for start, stop in itertools.pairwise(edges))


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, ...]) -> Box:
    starts = [draw(st.integers(0, extent)) for extent in shape]
    return tuple(
        slice(start, draw(st.integers(start, extent)))
        for start, extent in zip(starts, shape, strict=True)
    )


class CountingPixels(ArrayPixels):
    """Counts how often each piece is decoded."""

    def __init__(self, array: NDArray[Any], pieces: Pieces) -> None:
        super().__init__(array, pieces)
        self.reads: Counter[tuple[int, ...]] = Counter()

    def read(self, box: Box) -> NDArray[Any]:
        self.reads[tuple(part.start for part in box)] += 1
        return super().read(box)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_dask_array_arrives_as_it_is(data: st.DataObject) -> None:
    dimensions = data.draw(st.integers(2, 4))
    shape = tuple(data.draw(st.integers(1, 24)) for _ in range(dimensions))
    dtype = data.draw(st.sampled_from(DTYPES))
    array = random_array(shape, dtype)
    lazy = da.from_array(array, chunks=tuple(data.draw(splits(extent)) for extent in shape))
    source = open_source(lazy, axes="tczyx"[-dimensions:])
    np.testing.assert_array_equal(received(source), array)
    box = data.draw(boxes(shape))
    region = {
        axis: (part.start, part.stop) for axis, part in zip(source.request.axes, box, strict=True)
    }
    np.testing.assert_array_equal(source.read(region), array[box])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_cache_gives_any_box_and_never_more_than_its_limit(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 20)) for _ in range(3))
    array = random_array(shape, "uint16")
    pieces = tuple(data.draw(splits(extent)) for extent in shape)
    limit_bytes = data.draw(st.integers(0, array.nbytes))
    cached = CachedPixels(ArrayPixels(array, pieces), limit_bytes)
    for _ in range(4):
        box = data.draw(boxes(shape))
        np.testing.assert_array_equal(cached.read(box), array[box])
        assert cached.kept_bytes <= limit_bytes


def test_planes_are_decoded_once_although_many_chunks_need_them() -> None:
    array = random_array((32, 64, 64), "uint16")
    counting = CountingPixels(array, uniform(array.shape, (1, 64, 64)))
    cached = CachedPixels(counting, PIECES_BYTES)
    for z in range(0, 32, 16):
        for y in range(0, 64, 16):
            for x in range(0, 64, 16):
                cached.read((slice(z, z + 16), slice(y, y + 16), slice(x, x + 16)))
    assert len(counting.reads) == 32
    assert set(counting.reads.values()) == {1}


def test_the_cache_drops_what_was_not_used_for_longest() -> None:
    array = random_array((3, 8, 8), "uint8")
    counting = CountingPixels(array, uniform(array.shape, (1, 8, 8)))
    cached = CachedPixels(counting, 2 * 64)
    for plane in (0, 1, 0, 2, 0, 1):
        cached.read((slice(plane, plane + 1), slice(0, 8), slice(0, 8)))
    assert counting.reads == {(0, 0, 0): 1, (1, 0, 0): 2, (2, 0, 0): 1}


def test_pixels_without_pieces_need_no_cache() -> None:
    with pytest.raises(ValueError, match="pieces"):
        CachedPixels(ArrayPixels(np.zeros((2, 2))), 10)


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 5000)] * 3),
    itemsize=st.sampled_from([1, 2, 4, 8]),
    stored=st.none() | st.tuples(*[st.integers(1, 600)] * 3),
)
def test_chunks_are_small_and_fit_the_cache(
    shape: tuple[int, int, int], itemsize: int, stored: tuple[int, int, int] | None
) -> None:
    pieces = None if stored is None else uniform(shape, stored)
    chunks = suitable_chunks(("z", "y", "x"), shape, itemsize, pieces, PIECES_BYTES // 2)
    assert all(1 <= chunk <= extent for chunk, extent in zip(chunks, shape, strict=True))
    assert math.prod(chunks) * itemsize <= LARGEST_BYTES
    if pieces is not None:
        held = stored_extents(pieces)
        box = slab(shape, chunks, held) or chunks
        assert all(map(int.__le__, chunks, box))
        is_thin = all(map(int.__le__, chunks, held))
        assert is_thin or math.prod(box) * itemsize <= PIECES_BYTES // 2


@given(shape=st.tuples(*[st.integers(1, 400)] * 3), stored=st.tuples(*[st.integers(1, 400)] * 3))
def test_no_piece_is_shared_by_boxes_that_are_read_apart(
    shape: tuple[int, int, int], stored: tuple[int, int, int]
) -> None:
    pieces = uniform(shape, stored)
    chunks = suitable_chunks(("z", "y", "x"), shape, 2, pieces, 2**20)
    box = slab(shape, chunks, stored_extents(pieces)) or chunks
    for size, chunk, held, extent in zip(shape, chunks, stored, box, strict=True):
        is_even = chunk % min(held, size) == 0 or held % chunk == 0
        if is_even and extent < size:
            assert extent % min(held, size) == 0
            assert extent % chunk == 0


def test_whole_pieces_make_a_chunk_where_they_are_small() -> None:
    pieces = uniform((640, 640, 640), (32, 32, 32))
    chunks = suitable_chunks(("z", "y", "x"), (640, 640, 640), 2, pieces, PIECES_BYTES)
    assert all(chunk % 32 == 0 for chunk in chunks)


def test_stacks_of_planes_get_flat_chunks_and_volumes_do_not() -> None:
    shape = (500, 1000, 1000)
    flat = suitable_chunks(("z", "y", "x"), shape, 2, uniform(shape, (1, 1000, 1000)), PIECES_BYTES)
    near_cubes = suitable_chunks(("z", "y", "x"), shape, 2)
    assert flat[0] <= 16 < near_cubes[0]
    assert max(near_cubes) / min(near_cubes) <= 2


def test_time_points_and_channels_travel_apart() -> None:
    chunks = suitable_chunks(("t", "c", "y", "x"), (5, 3, 700, 700), 1)
    assert chunks == (1, 1, 700, 700)


def test_a_chunk_of_zeros_is_not_held() -> None:
    array = np.zeros((100, 300, 300), np.uint8)
    array[-1, -1, -1] = 1
    source = open_source(array)
    assert source.chunk("c/0/0/0") is None
    last = (math.ceil(100 / source.request.chunks["z"]) - 1,)
    assert source.chunk(f"c/{last[0]}/2/2") is not None


def test_not_a_number_is_held() -> None:
    array = np.zeros((4, 4), np.float32)
    array[0, 0] = np.nan
    assert np.isnan(received(open_source(array))[0, 0])
