"""Labels of tiles become objects: exactly those of the whole, whatever the blocks and order."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.planning import Block, blocks, neighbours, output_region, plane_pairs, read_tile
from hmz_backend.runs.labelling import beside
from hmz_backend.stitching.joining import Joiner
from hmz_backend.stitching.localising import LocalLabels, Whole, localise
from hmz_backend.stitching.objects import FinalIds, Objects
from hmz_backend.stitching.planes import join_planes
from hmz_backend.testing.planned import a_model, a_plan, an_image, labels_output
from napari_hmz.schema import AxisName, Plan, Sizes, slices

EXAMPLES = settings(max_examples=50, deadline=None)  # a busy machine is no failure
FEW = settings(max_examples=20, deadline=None)
Array = NDArray[Any]
Axes = tuple[AxisName, ...]


class Tiled:
    """One run over labels: cut, label each tile, localise; joined in the order asked for."""

    def __init__(
        self,
        image: Array,
        axes: Axes,
        label: Callable[[Array], Array],
        *,
        model: Axes | None = None,
        rule: str = "overlap",
        threshold: float = 0.5,
        **request: object,
    ) -> None:
        model = model or axes
        self.card = a_model(model, outputs=[labels_output(model, rule, threshold)])
        shape: Sizes = dict(zip(axes, image.shape, strict=True))
        self.volume = an_image(shape, dtype=image.dtype.name)
        self.plan: Plan = a_plan(self.card, self.volume, **request)
        self.image, self.axes, self.label = image, axes, label
        self.rule, self.threshold = self.card.outputs[0].stitch.rule, threshold
        self.locals = {block.index: self._local(block) for block in blocks(self.plan)}

    def _local(self, block: Block) -> LocalLabels:
        tile = read_tile(
            lambda r: self.image[slices(r, self.axes)],
            self.plan,
            self.volume,
            self.card.inputs[0],
            block,
        )
        whole = Whole(self.plan.region, self.plan.context, self.plan.outputs[0])
        spec = self.card.outputs[0]
        return localise(self.label(tile), spec, block, whole, beside(self.plan, spec, block))

    def join(self, order: Sequence[int] | None = None) -> FinalIds:
        objects = Objects(self.plan.blocks, step=7)
        joiner = Joiner(
            objects,
            partial(neighbours, self.plan),
            rule=self.rule,
            threshold=self.threshold,
        )
        for index in order or [block.index for block in blocks(self.plan)]:
            objects.join(joiner.add(index, self.locals[index].tile))
        assert joiner.front == 0
        return objects.finish()

    def whole(self, ids: FinalIds) -> Array:
        output = self.plan.outputs[0]
        labels = np.zeros([output.shape[axis] for axis in output.axes], ids.dtype)
        for block in blocks(self.plan):
            region = output_region(self.plan, output, block)
            core = self.locals[block.index].core
            labels[slices(region, output.axes)] = ids.table(block.index)[core]
        return labels


def components(connectivity: int) -> Callable[[Array], Array]:
    def label(tile: Array) -> Array:
        structure = ndimage.generate_binary_structure(tile.ndim, min(connectivity, tile.ndim))
        found: Array = ndimage.label(tile, structure)[0]
        return found.astype(np.uint32)

    return label


def raster_numbered(labels: Array) -> Array:
    """Number labels 1 … N by the raster order of their first voxels."""
    found, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.zeros(len(found), np.int64)
    rank[np.argsort(first)] = np.arange(len(found))
    if found[0] == 0:
        rank = np.where(rank < rank[0], rank + 1, rank)
        rank[0] = 0
    else:
        rank += 1
    return rank[inverse].reshape(labels.shape)


@st.composite
def tiled_cases(draw: st.DrawFn) -> tuple[Tiled, Array]:
    axes: Axes = draw(st.sampled_from([("y", "x"), ("z", "y", "x"), ("t", "y", "x"), ("x",)]))
    axes = ("y", "x") if axes == ("x",) else axes
    shape = [draw(st.integers(1, 3 if axis == "t" else 13)) for axis in axes]
    density = draw(st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.7, 1.0]))
    image = np.random.default_rng(draw(st.integers(0, 1000))).random(shape) < density
    model = tuple(axis for axis in axes if axis != "t")
    connectivity = draw(st.integers(1, len(model)))
    label = components(connectivity)
    block: Sizes = {axis: draw(st.integers(1, 7)) for axis in model}
    halo: Sizes = {axis: draw(st.integers(1, 4)) for axis in model}
    tiled = Tiled(image.astype("uint8"), axes, label, model=model, block=block, halo=halo)
    if axes == model:
        return tiled, label(image)
    planes = [label(plane) for plane in image]
    apart = np.stack([np.where(p > 0, p + 10000 * t, 0) for t, p in enumerate(planes)])
    return tiled, raster_numbered(apart)


@EXAMPLES
@given(tiled_cases(), st.randoms(use_true_random=False))
def test_components_of_tiles_are_those_of_the_whole_in_any_order(
    case: tuple[Tiled, Array], shuffled: Random
) -> None:
    tiled, expected = case
    order = list(range(tiled.plan.blocks))
    shuffled.shuffle(order)
    ids = tiled.join(order)
    found = tiled.whole(ids)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(tiled.whole(tiled.join()), found)
    assert set(np.unique(found)) - {0} == set(range(1, ids.count + 1))


def worm(shape: tuple[int, ...], steps: int, seed: int) -> Array:
    """Return a random walk with steps of one voxel along an axis."""
    rng = np.random.default_rng(seed)
    image = np.zeros(shape, np.uint8)
    place = np.array(shape) // 2
    for axis, step in zip(
        rng.integers(0, len(shape), steps), rng.integers(0, 2, steps), strict=True
    ):
        place[axis] = np.clip(place[axis] + 2 * step - 1, 0, shape[axis] - 1)
        image[tuple(place)] = 1
    return image


def sponge(shape: tuple[int, ...]) -> Array:
    """Return one object that touches every block, and holes with grains in them."""
    image = np.zeros(shape, np.uint8)
    for axis in range(len(shape)):
        index: list[Any] = [slice(None)] * len(shape)
        index[axis] = slice(None, None, 5)
        image[tuple(index)] = 1
    image[tuple(slice(2, None, 5) for _ in shape)] = 1
    return image


@pytest.mark.parametrize("block", [4, 8, 9])
@pytest.mark.parametrize("halo", [1, 3])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_worms_sponges_and_corners_are_whole(block: int, halo: int, connectivity: int) -> None:
    shape = (18, 20, 22)
    worms = np.maximum.reduce([worm(shape, 600, seed) for seed in range(3)])
    corners = np.zeros(shape, np.uint8)
    for step in (4, 8, 9):
        corners[step - 1 :: step, step - 1 :: step, step - 1 :: step] = 1
        corners[step::step, step::step, step::step] = 1
    for image in (worms, sponge(shape), corners):
        label = components(connectivity)
        tiled = Tiled(image, ("z", "y", "x"), label, block=dict.fromkeys("zyx", block),
                      halo=dict.fromkeys("zyx", halo))  # fmt: skip
        np.testing.assert_array_equal(tiled.whole(tiled.join()), label(image))


def test_a_region_is_labelled_as_if_it_were_all_there_is() -> None:
    image = worm((30, 40), 900, 3)
    label = components(1)
    region = {"y": (5, 21), "x": (3, 38)}
    for block in (4, 7, 16, 40):
        tiled = Tiled(image, ("y", "x"), label, region=region, halo={"y": 3, "x": 2},
                      block={"y": block, "x": block})  # fmt: skip
        np.testing.assert_array_equal(tiled.whole(tiled.join()), label(image[5:21, 3:38]))


def boxes(shape: tuple[int, ...], largest: int, seed: int) -> Array:
    """Return objects no longer than `largest` along any axis; they touch, and have gaps."""
    rng = np.random.default_rng(seed)
    image = np.zeros(shape, np.uint16)
    for number in range(1, 40):
        low = [int(rng.integers(0, extent)) for extent in shape]
        box = tuple(slice(a, a + int(rng.integers(1, largest + 1))) for a in low)
        image[box] = np.where(rng.random(image[box].shape) < 0.8, number, image[box])
    return image


@FEW
@given(
    st.sampled_from([("y", "x"), ("z", "y", "x")]),
    st.integers(1, 5),
    st.integers(2, 9),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.integers(0, 1000),
)
def test_agreeing_objects_up_to_the_halo_are_neither_split_nor_merged(
    axes: Axes, halo: int, block: int, threshold: float, seed: int
) -> None:
    shape = (11, 14) if len(axes) == 2 else (9, 12, 11)
    if len(axes) == 3:
        block, halo = max(block, 4), min(halo, 4)  # shorter blocks are seen in 2-D
    objects = boxes(shape, halo, seed)

    def found_alike(tile: Array) -> Array:
        # Other numbers in every tile, far from dense: what a network's numbers are like.
        numbers = np.random.default_rng(int(tile.sum())).permutation(1 << 8)
        return np.where(tile > 0, numbers[tile] * 100_000 + 5, 0).astype(np.uint32)

    tiled = Tiled(objects, axes, found_alike, rule="agreement", threshold=threshold,
                  block=dict.fromkeys(axes, block), halo=dict.fromkeys(axes, halo))  # fmt: skip
    np.testing.assert_array_equal(tiled.whole(tiled.join()), raster_numbered(objects))


def test_objects_that_tiles_see_differently_are_not_joined() -> None:
    image = np.ones((1, 16), np.uint8)
    seen = iter([1, 2])

    def split(tile: Array) -> Array:
        labels = np.ones(tile.shape, np.uint32)
        if next(seen) == 2:  # the second tile sees three objects where the first sees one
            labels[:, 3:6], labels[:, 6:] = 2, 3
        return labels

    tiled = Tiled(image, ("y", "x"), split, rule="agreement", threshold=0.6,
                  block={"x": 8}, halo={"x": 4})  # fmt: skip
    assert tiled.join().count == 3


@FEW
@given(st.integers(0, 1000), st.integers(3, 9), st.sampled_from([0.25, 0.5]))
def test_planes_are_joined_as_in_the_whole_whatever_the_blocks(
    seed: int, block: int, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    planes = rng.random((4, 9, 10)) < 0.5
    image = np.repeat(planes[:1], 4, 0) & (rng.random(planes.shape) < 0.9)
    label = components(1)
    tiled = Tiled(image.astype("uint8"), ("z", "y", "x"), label, model=("y", "x"),
                  block={"y": block, "x": block}, halo={"y": 1, "x": 2})  # fmt: skip
    ids = join_planes(
        tiled.join(), plane_pairs(tiled.plan), lambda n: tiled.locals[n].core, threshold
    )
    expected = joined_by_hand([label(plane) for plane in image], threshold)
    np.testing.assert_array_equal(tiled.whole(ids), expected)


def joined_by_hand(planes: list[Array], threshold: float) -> Array:
    """Join the labels of neighbouring planes one by one, in plain Python."""
    joined = [planes[0].astype(np.int64)]
    total = int(planes[0].max())
    for below, above in itertools.pairwise(planes):
        score = {
            (a, b): ((below == a) & (above == b)).sum() / ((below == a) | (above == b)).sum()
            for a in range(1, below.max() + 1)
            for b in range(1, above.max() + 1)
        }
        current = np.zeros(above.shape, np.int64)
        for b in range(1, above.max() + 1):
            best = max(range(1, below.max() + 1), key=lambda a: (score[a, b], -a), default=None)
            back = best and max(range(1, above.max() + 1), key=lambda c: (score[best, c], -c))
            if best and back == b and score[best, b] >= threshold:
                current[above == b] = joined[-1][below == best][0]
            else:
                total += 1
                current[above == b] = total
        joined.append(current)
    return raster_numbered(np.stack(joined))


def test_joining_refuses_a_block_twice_and_one_that_is_missing() -> None:
    tiled = Tiled(np.ones((4, 9), np.uint8), ("y", "x"), components(1), block={"x": 4})
    objects = Objects(tiled.plan.blocks)
    joiner = Joiner(objects, partial(neighbours, tiled.plan), rule="overlap", threshold=0.5)
    joiner.add(0, tiled.locals[0].tile)
    with pytest.raises(ValueError, match="in already"):
        joiner.add(0, tiled.locals[0].tile)
    with pytest.raises(ValueError, match="missing"):
        objects.finish()


def test_only_the_front_of_the_work_is_kept() -> None:
    tiled = Tiled(np.ones((4, 200), np.uint8), ("y", "x"), components(1), block={"x": 4})
    joiner = Joiner(Objects(tiled.plan.blocks), partial(neighbours, tiled.plan), rule="overlap",
                    threshold=0.5)  # fmt: skip
    fronts = []
    for index in range(tiled.plan.blocks):
        pairs = joiner.add(index, tiled.locals[index].tile)
        fronts.append(joiner.front)
        assert pairs.tolist() == ([[index, index + 1]] if index else [])
    assert max(fronts) == 1


def test_ids_beyond_uint32_are_uint64() -> None:
    nothing = np.zeros(1, np.int64)
    assert FinalIds(2**32 - 1, nothing, nothing, nothing).dtype == np.uint32
    assert FinalIds(2**32, nothing, nothing, nothing).dtype == np.uint64
