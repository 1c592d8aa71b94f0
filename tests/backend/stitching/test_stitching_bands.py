"""Runs, files and sets: what joining is made of."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hmz_backend.stitching.bands import TileLabels, TornFile, alone, from_bytes, to_bytes
from hmz_backend.stitching.flatruns import decode, encode
from hmz_backend.stitching.matching import overlaps
from hmz_backend.stitching.unionfind import UnionFind, flatten, rank
from napari_hmz.schema import SPATIAL_AXES, Region

EXAMPLES = settings(max_examples=60, deadline=None)  # a busy machine is no failure
Labels = NDArray[np.uint32]
LABELS = arrays.arrays(
    np.uint32, arrays.array_shapes(min_dims=1, max_dims=3, max_side=9), elements=st.integers(0, 3)
)


@EXAMPLES
@given(LABELS)
def test_runs_stand_for_the_array(labels: Labels) -> None:
    runs = encode(labels)
    np.testing.assert_array_equal(decode(runs, labels.shape), labels)
    assert (runs.values[1:] != runs.values[:-1]).all()


def tile_of(labels: Labels, first: Sequence[int] = (5, 2**40)) -> TileLabels:
    axes = SPATIAL_AXES[-labels.ndim :]
    covered: Region = {
        axis: (-3, extent - 3) for axis, extent in zip(axes, labels.shape, strict=True)
    }
    return TileLabels(axes, covered, encode(labels), np.array(first, np.int64))


@EXAMPLES
@given(LABELS, st.data())
def test_tiles_survive_a_file(labels: Labels, data: st.DataObject) -> None:
    tile = tile_of(labels)
    found = from_bytes(to_bytes(tile))
    assert (found.axes, found.covered, found.count) == (tile.axes, tile.covered, 2)
    np.testing.assert_array_equal(found.first, tile.first)
    region: Region = {}
    for axis, extent in zip(tile.axes, labels.shape, strict=True):
        low = data.draw(st.integers(0, extent - 1))
        region[axis] = (low - 3, data.draw(st.integers(low + 1, extent)) - 3)
    box = tuple(slice(low + 3, high + 3) for low, high in region.values())
    np.testing.assert_array_equal(found.within(region), labels[box])


@EXAMPLES
@given(LABELS, st.data())
def test_a_torn_file_is_known(labels: Labels, data: st.DataObject) -> None:
    body = to_bytes(tile_of(labels))
    length = data.draw(st.integers(0, len(body) - 1))
    place = data.draw(st.integers(0, len(body) - 1))
    for torn in (body[:length], body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]):
        with pytest.raises(TornFile):
            from_bytes(torn)


@EXAMPLES
@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9), st.integers(0, 9))
def test_alone_is_what_no_neighbour_covers(block: int, halo: int, blocks: int, at: int) -> None:
    at %= blocks
    tiles = [(n * block - halo, (n + 1) * block + halo) for n in range(blocks)]
    beside = [tiles[n] for n in (at - 1, at + 1) if 0 <= n < blocks]
    low, high = alone({"x": tiles[at]}, {"x": beside})["x"]
    seen = {x for n, ends in enumerate(tiles) if n != at for x in range(*ends)}
    assert set(range(low, high)) == set(range(*tiles[at])) - seen


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
    parents = np.arange(size)
    sets = UnionFind(parents)
    half = np.array(pairs, np.int64).reshape(-1, 2)
    lost = [sets.union(part[:, 0], part[:, 1]) for part in (half[::2], half[1::2])]
    told = np.concatenate(lost)
    assert len(np.unique(told[:, 0])) == len(told)  # each number is told once
    roots = [min(group) for group in groups]
    assert sets.find(np.arange(size)).tolist() == roots
    assert {*range(size)} - {*roots} == {*told[:, 0].tolist()}
    flatten(parents, step=3)
    assert parents.tolist() == roots
    count = rank(parents, step=3)
    assert parents.tolist() == [sorted(set(roots)).index(root) + 1 for root in roots]
    assert count == len(set(roots))


def test_a_long_chain_is_joined_quickly() -> None:
    chain = np.random.default_rng(0).permutation(200_000)
    parents = np.arange(len(chain))
    UnionFind(parents).union(chain[:-1], chain[1:])
    flatten(parents, step=1 << 16)
    assert not parents.any()


def test_a_chain_that_grows_at_its_low_end_is_joined_quickly() -> None:
    length = 5000
    sets = UnionFind(np.arange(length))
    for number in range(length - 1, 0, -1):
        low, high = np.array([number - 1]), np.array([number])
        assert sets.union(low, high).tolist() == [[number, number - 1]]
    assert not sets.find(np.arange(length)).any()
