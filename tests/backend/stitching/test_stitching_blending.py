"""Blending: positive weights, and equal contributions give exactly that value."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hmz_backend.planning import Block, block_at, blocks, neighbours, output_region, read_tile
from hmz_backend.stitching.blending import Blend, Contribution, blend, reach
from hmz_backend.stitching.cropping import cut_region, result_region
from hmz_backend.stitching.windows import Weight, window
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output
from napari_hmz.schema import (
    AxisName,
    OutputSpec,
    Plan,
    Region,
    Sizes,
    extents,
    intersection,
    slices,
)

EXAMPLES = settings(max_examples=40, deadline=None)  # a busy machine is no failure
WEIGHTS = st.sampled_from(["linear", "gaussian"])
Array = NDArray[Any]


@EXAMPLES
@given(st.integers(1, 300), st.integers(0, 80), WEIGHTS)
def test_weights_are_positive_symmetric_and_at_most_one(
    length: int, ramp: int, weight: Weight
) -> None:
    weights = window(length, ramp, weight)
    assert weights.shape == (length,)
    assert (weights > 0).all()
    assert (weights <= 1).all()
    np.testing.assert_allclose(weights, weights[::-1])


@given(st.integers(1, 20), st.integers(0, 20))
def test_linear_weights_of_neighbours_add_up_to_one_where_two_overlap(halo: int, more: int) -> None:
    block = 2 * halo + more
    weights = window(block + 2 * halo, 2 * halo, "linear")
    overlap = weights[-2 * halo :] + weights[: 2 * halo]
    np.testing.assert_allclose(overlap, 1)


def shares(
    plan: Plan, spec: OutputSpec, results: dict[int, Array], block: Block
) -> list[Contribution]:
    """Return what the tiles around a block say about it, cut as a backend would keep it."""
    found = []
    for number in (block.index, *neighbours(plan, block.index)):
        other = block_at(plan, number)
        covered = result_region(spec, other)
        spoken = reach(other.core, plan.block, plan.halo, spec.margin_px)
        region = intersection(intersection(covered, spoken), block.core)
        part = cut_region(results[number], spec.axes, covered, region)
        found.append(Contribution(spoken, region, part))
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plan, OutputSpec, Sizes, Any, Any]:
    axes: tuple[AxisName, ...] = draw(st.sampled_from([("y", "x"), ("z", "y", "x")]))
    shape: Sizes = {axis: draw(st.integers(1, 14)) for axis in axes}
    halo: Sizes = {axis: draw(st.integers(0, 5)) for axis in axes}
    block: Sizes = {axis: draw(st.integers(1, 8)) for axis in axes}
    margin = {axis: draw(st.integers(0, halo[axis])) for axis in axes}
    spec = image_output(axes, "blend", margin_px=margin)
    card = a_model(axes, outputs=[spec])
    volume = an_image(shape, dtype="float32")
    return a_plan(card, volume, halo=halo, block=block), spec, shape, card, volume


@EXAMPLES
@given(cases(), WEIGHTS, st.randoms(use_true_random=False))
def test_blending_what_agrees_is_the_identity_in_any_order(
    case: tuple[Plan, OutputSpec, Sizes, Any, Any], weight: Weight, shuffled: Random
) -> None:
    plan, spec, shape, card, volume = case
    image = np.random.default_rng(1).random(list(shape.values())).astype("float32")
    results: dict[int, Array] = {}
    for block in blocks(plan):
        tile = read_tile(lambda r: image[slices(r, spec.axes)], plan, volume, card.inputs[0], block)
        margins = [spec.margin_px[axis] for axis in spec.axes]
        inner = tuple(slice(m, n - m) for m, n in zip(margins, tile.shape, strict=True))
        results[block.index] = tile[inner]
    whole = np.zeros_like(image)
    how = Blend(spec.axes, plan.halo, weight)
    for block in blocks(plan):
        parts = shares(plan, spec, results, block)
        shuffled.shuffle(parts)
        place = slices(output_region(plan, plan.outputs[0], block), spec.axes)
        whole[place] = blend(parts, block.core, how)
    np.testing.assert_array_equal(whole, image)


@EXAMPLES
@given(cases(), WEIGHTS, st.randoms(use_true_random=False))
def test_blending_lies_between_what_tiles_say_whatever_their_order(
    case: tuple[Plan, OutputSpec, Sizes, Any, Any], weight: Weight, shuffled: Random
) -> None:
    plan, spec, *_ = case
    rng = np.random.default_rng(2)
    results = {
        block.index: rng.random(list(extents(result_region(spec, block)).values()))
        for block in blocks(plan)
    }
    how = Blend(spec.axes, plan.halo, weight)
    for block in blocks(plan):
        parts = shares(plan, spec, results, block)
        first = blend(parts, block.core, how)
        shuffled.shuffle(parts)
        np.testing.assert_array_equal(first, blend(parts, block.core, how))
        assert first.min() >= 0
        assert first.max() <= 1


def test_channels_are_blended_alike_and_integers_rounded() -> None:
    how = Blend(("c", "x"), {"x": 2}, "linear")
    core: Region = {"x": (0, 4)}
    low = Contribution({"x": (-2, 6)}, {"x": (0, 4)}, np.full((2, 4), 10, "uint8"))
    high = Contribution({"x": (2, 10)}, {"x": (2, 4)}, np.full((2, 2), 255, "uint8"))
    found = blend([high, low], core, how)
    assert found.dtype == np.uint8
    assert found.tolist() == [[10, 10, 59, 108]] * 2


def test_a_voxel_that_no_tile_speaks_for_is_an_error() -> None:
    part = Contribution({"x": (0, 3)}, {"x": (0, 3)}, np.zeros(3))
    with pytest.raises(ValueError, match="no contribution"):
        blend([part], {"x": (0, 4)}, Blend(("x",), {}))
