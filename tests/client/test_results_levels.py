import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from zarr.storage import LocalStore, MemoryStore

from napari_hmz.results.coarsening import Coarsening
from napari_hmz.results.coarser import CoarserLevels
from napari_hmz.results.levels import (
    level_factors,
    level_shape,
    mean,
    nearest,
    regions_of,
)
from napari_hmz.results.local_chunks import LocalChunks

ARRAYS = hnp.arrays(
    st.sampled_from([np.uint8, np.uint32, np.float32]),
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=9),
    elements=st.integers(0, 255),
)


@given(ARRAYS)
def test_the_nearest_voxel_is_one_that_was_there(array: NDArray[Any]) -> None:
    coarse = nearest(array, [2] * array.ndim)
    assert coarse.shape == tuple(-(-extent // 2) for extent in array.shape)
    assert set(np.unique(coarse)) <= set(np.unique(array))


@given(ARRAYS)
def test_the_mean_keeps_dtype_and_range(array: NDArray[Any]) -> None:
    coarse = mean(array, [2] * array.ndim)
    assert coarse.shape == tuple(-(-extent // 2) for extent in array.shape)
    assert coarse.dtype == array.dtype
    assert array.min() <= coarse.min() <= coarse.max() <= array.max()


def test_means_are_rounded_and_edges_are_not_darkened() -> None:
    array = np.array([[0, 1, 7], [1, 1, 7], [9, 9, 200]], np.uint8)
    np.testing.assert_array_equal(mean(array, [2, 2]), [[1, 7], [9, 200]])
    np.testing.assert_array_equal(mean(array, [1, 2]), [[0, 7], [1, 7], [9, 200]])


def test_large_integers_do_not_overflow() -> None:
    array = np.full((4, 4), 2**32 - 1, np.uint32)
    assert (mean(array, [2, 2]) == 2**32 - 1).all()


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_level_made_by_chunks_is_that_made_at_once(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.integers(1, 17)) for _ in range(3))
    steps = [data.draw(st.sampled_from([1, 2])) for _ in range(3)]
    is_labels = data.draw(st.booleans())
    values = np.random.default_rng(0).integers(0, 255, shape).astype("u2")
    store = MemoryStore()
    fine = zarr.create_array(store, name="a", data=values, chunks=(3, 4, 5))
    small = tuple(-(-extent // step) for extent, step in zip(shape, steps, strict=True))
    coarse = zarr.create_array(store, name="b", shape=small, chunks=(2, 3, 4), dtype="u2")
    step = {"z": steps[0], "y": steps[1], "x": steps[2]}
    level = Coarsening(fine, coarse, ("z", "y", "x"), step, is_labels)  # type: ignore[arg-type] # mypy widens the keys
    CoarserLevels(lambda: [level]).finish()
    expected = (nearest if is_labels else mean)(values, steps)
    np.testing.assert_array_equal(coarse[...], expected)


def test_what_is_not_stored_is_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, read = (24, 24), list[object]()
    fine = zarr.create_array(LocalStore(tmp_path), name="a", shape=shape, chunks=(4, 4), dtype="u2")
    fine[9:11, 5:7] = 7
    expected = nearest(np.asarray(fine[...]), (2, 2))
    small = (12, 12)
    coarse = zarr.create_array(
        LocalStore(tmp_path), name="b", shape=small, chunks=(4, 4), dtype="u2"
    )
    once = LocalChunks.read

    def counted(chunks: LocalChunks, place: tuple[int, ...]) -> NDArray[Any]:
        read.append(place)
        return once(chunks, place)

    monkeypatch.setattr(LocalChunks, "read", counted)
    level = Coarsening(fine, coarse, ("y", "x"), {"y": 2, "x": 2}, is_labels=True)
    CoarserLevels(lambda: [level]).finish()
    assert 0 < len(read) <= 4  # one coarse chunk, from four finer ones
    np.testing.assert_array_equal(coarse[...], expected)
    assert expected.any()


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(1, 5000)] * 3),
    st.tuples(*[st.floats(0.01, 100)] * 3),
)
def test_levels_shrink_to_a_small_image(
    shape: tuple[int, int, int], voxel: tuple[float, float, float]
) -> None:
    sizes = {"z": shape[0], "y": shape[1], "x": shape[2]}
    lengths = {"z": voxel[0], "y": voxel[1], "x": voxel[2]}
    factors = level_factors(sizes, lengths)  # type: ignore[arg-type] # mypy widens the keys
    assert set(factors[0].values()) == {1}
    for fine, coarse in itertools.pairwise(factors):
        assert fine != coarse
        assert all(coarse[axis] in (fine[axis], 2 * fine[axis]) for axis in fine)
    assert len(factors) == 10 or max(level_shape(sizes, factors[-1]).values()) <= 256  # type: ignore[arg-type] # mypy widens the keys


def test_long_voxels_are_halved_last() -> None:
    factors = level_factors({"z": 200, "y": 1000, "x": 1000}, {"z": 4.0, "y": 1.0, "x": 1.0})
    assert [level["z"] for level in factors] == [1, 1, 1, 2]
    assert [level["x"] for level in factors] == [1, 2, 4, 8]


def test_time_and_channels_are_never_halved() -> None:
    factors = level_factors({"t": 999, "c": 9, "y": 999, "x": 999}, {})
    assert all(level["t"] == level["c"] == 1 for level in factors)


@pytest.mark.parametrize("chunks", [(1, 1), (3, 4), (9, 9)])
def test_regions_cover_each_voxel_once(chunks: tuple[int, int]) -> None:
    seen = np.zeros((5, 7), int)
    for region in regions_of({"y": 5, "x": 7}, {"y": chunks[0], "x": chunks[1]}):
        seen[slice(*region["y"]), slice(*region["x"])] += 1
    assert (seen == 1).all()
