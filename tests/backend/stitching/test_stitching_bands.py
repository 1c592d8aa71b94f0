"""Runs, files and sets: what joining is made of."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels, load, save
from hmz_backend.stitching.matching import overlaps
from hmz_backend.stitching.rowruns import cut, decode, encode
from hmz_backend.stitching.unionfind import UnionFind, ranks
from napari_hmz.schema import SPATIAL_AXES, Region

EXAMPLES = settings(max_examples=60, deadline=None)  # a busy machine is no failure
Labels = NDArray[np.uint32]
LABELS = arrays.arrays(
    np.uint32, arrays.array_shapes(min_dims=1, max_dims=3, max_side=9), elements=st.integers(0, 3)
)


@EXAMPLES
@given(LABELS, st.data())
def test_runs_stand_for_the_array_and_any_part_of_it(labels: Labels, data: st.DataObject) -> None:
    box = []
    for extent in labels.shape:
        low = data.draw(st.integers(0, extent - 1))
        box.append(slice(low, data.draw(st.integers(low + 1, extent))))
    np.testing.assert_array_equal(decode(encode(labels)), labels)
    np.testing.assert_array_equal(decode(cut(encode(labels), box)), labels[tuple(box)])


@EXAMPLES
@given(LABELS)
def test_tiles_survive_a_file_without_pickles(labels: Labels) -> None:
    axes = SPATIAL_AXES[-labels.ndim :]
    covered: Region = {
        axis: (-3, extent - 3) for axis, extent in zip(axes, labels.shape, strict=True)
    }
    first = np.arange(2, dtype=np.int64) * 2**40
    file = io.BytesIO()
    save(file, TileLabels(axes, covered, encode(labels), 2, first))
    file.seek(0)
    found = load(file)
    assert (found.axes, found.covered, found.count) == (axes, covered, 2)
    np.testing.assert_array_equal(found.first, first)
    np.testing.assert_array_equal(found.within(covered), labels)


def test_a_pickle_in_the_file_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as held:
        array = io.BytesIO()
        np.save(array, np.array([{}], object), allow_pickle=True)
        held.writestr("axes.npy", array.getvalue())
    file.seek(0)
    with pytest.raises(ValueError, match="pickle"):
        load(file)


@EXAMPLES
@given(LABELS, st.integers(0, 100), st.sampled_from([1, 5000]))
def test_overlaps_are_as_counted_by_hand(labels: Labels, seed: int, factor: int) -> None:
    other = np.random.default_rng(seed).permutation(labels.reshape(-1)).reshape(labels.shape)
    found = overlaps(labels * np.uint32(factor), other * np.uint32(factor))
    counted = {
        (int(a), int(b)): int(((labels == a) & (other == b)).sum())
        for a in range(1, 4)
        for b in range(1, 4)
    }
    table = {
        (int(a) // factor, int(b) // factor): int(n)
        for (a, b), n in zip(found.pairs, found.shared, strict=True)
    }
    assert table == {pair: n for pair, n in counted.items() if n}
    for a in range(1, labels.max() + 1):
        assert found.first_sizes[a * factor] == (labels == a).sum()


@EXAMPLES
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29))))
def test_sets_are_those_that_pairs_join(size: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % size, b % size) for a, b in pairs]
    groups = [{n} for n in range(size)]
    for a, b in pairs:
        merged = groups[a] | groups[b]
        for n in merged:
            groups[n] = merged
    sets = UnionFind(size)
    half = np.array(pairs, np.int64).reshape(-1, 2)
    sets.union(half[::2, 0], half[::2, 1])
    sets.union(half[1::2, 0], half[1::2, 1])
    roots = sets.roots()
    assert roots.tolist() == [min(group) for group in groups]
    numbers, count = ranks(roots)
    assert set(numbers.tolist()) == set(range(1, count + 1))


def test_a_long_chain_is_joined_quickly() -> None:
    chain = np.random.default_rng(0).permutation(200_000)
    sets = UnionFind(len(chain))
    sets.union(chain[:-1], chain[1:])
    assert not sets.roots().any()
