"""Cutting and cropping: with a model that changes nothing, what comes out is what went in."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hmz_backend.planning import blocks, cut_tile, model_tile, output_region, read_tile
from hmz_backend.stitching.cropping import arrange, crop
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output
from napari_hmz.errors import AxesMismatch
from napari_hmz.schema import AxisName, InputSpec, Plan, Region, SizeRule, Sizes, extents, slices
from napari_hmz.schema.card import PadMode

Array = NDArray[Any]

EXAMPLES = settings(max_examples=60, deadline=None)  # a busy machine is no failure


def numbered(shape: Sizes) -> Array:
    return np.arange(np.prod(list(shape.values()))).reshape(list(shape.values())).astype("uint16")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plan, Array, Any, Any]:
    model: tuple[AxisName, ...] = draw(st.sampled_from([("y", "x"), ("z", "y", "x")]))
    extra: tuple[AxisName, ...] = draw(st.sampled_from([(), ("t",), ("c",)]))
    axes = draw(st.permutations([*extra, *({*model, "z"} if draw(st.booleans()) else model)]))
    shape: Sizes = {axis: draw(st.integers(1, 12)) for axis in axes}
    lengths = st.fixed_dictionaries({axis: st.integers(1, 8) for axis in model})
    margins = draw(st.fixed_dictionaries({axis: st.integers(0, 2) for axis in model}))
    rules = {
        axis: SizeRule(minimum=draw(st.integers(1, 20)), step=draw(st.integers(1, 4)))
        for axis in model
    }
    card = a_model(
        model,
        preferred=draw(lengths),
        halo=draw(lengths),
        sizes=rules,
        outputs=[image_output(model, margin_px=margins)],
    )
    volume = an_image(shape, dtype="uint16")
    return a_plan(card, volume), numbered(shape), card, volume


@EXAMPLES
@given(cases())
def test_cutting_and_cropping_is_the_identity(case: tuple[Plan, Array, Any, Any]) -> None:
    plan, image, card, volume = case
    spec, output = card.outputs[0], plan.outputs[0]
    whole = np.zeros([output.shape[axis] for axis in output.axes], "uint16")
    for block in blocks(plan):
        tile = read_tile(
            lambda r: image[slices(r, volume.axes)], plan, volume, card.inputs[0], block
        )
        assert tile.shape == tuple(extents(block.tile)[axis] for axis in card.inputs[0].axes)
        margins = [spec.margin_px[axis] for axis in spec.axes]
        inner = tuple(slice(m, n - m) for m, n in zip(margins, tile.shape, strict=True))
        kept = arrange(crop(tile[inner], spec, block), spec.axes, output.axes)
        whole[slices(output_region(plan, output, block), output.axes)] = kept
    np.testing.assert_array_equal(whole, arrange(image, volume.axes, output.axes))


@EXAMPLES
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.sampled_from(["reflect", "edge", "symmetric", "wrap", "constant"]),
)
def test_padding_is_that_of_numpy_bouncing_as_often_as_needed(
    shape: tuple[int, int], before: tuple[int, int], after: tuple[int, int], pad: PadMode
) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    tile: Region = {
        "y": (-before[0], shape[0] + after[0]),
        "x": (-before[1], shape[1] + after[1]),
    }
    calls: list[Region] = []

    def read(region: Region) -> Array:
        calls.append(region)
        return image[slices(region, ("y", "x"))]

    bounds: Region = {"y": (0, shape[0]), "x": (0, shape[1])}
    found = cut_tile(read, tile, bounds, ("y", "x"), pad, 7)
    widths = list(zip(before, after, strict=True))
    more: dict[str, Any] = {"constant_values": 7} if pad == "constant" else {}
    np.testing.assert_array_equal(found, np.pad(image, widths, mode=pad, **more))
    assert calls == [bounds]


def test_channels_are_taken_in_the_order_asked_and_others_are_not_read() -> None:
    shape: Sizes = {"c": 5, "y": 4, "x": 6}
    image, volume = numbered(shape), an_image(shape, dtype="uint16")
    card = a_model(("y", "x", "c"), channels=("a", "b", "c"), outputs=[image_output(("y", "x"))])
    plan = a_plan(card, volume, channels=(4, 0, 1))
    read_channels: list[tuple[int, int]] = []

    def read(region: Region) -> Array:
        read_channels.append(region["c"])
        return image[slices(region, volume.axes)]

    (block,) = blocks(plan)
    tile = read_tile(read, plan, volume, card.inputs[0], block)
    np.testing.assert_array_equal(tile, image[[4, 0, 1]].transpose(1, 2, 0))
    assert read_channels == [(0, 2), (4, 5)]


def test_a_channel_axis_is_made_for_a_model_that_wants_one() -> None:
    spec = InputSpec(name="image", axes=("c", "y", "x"))
    assert model_tile(np.zeros((4, 6)), ("y", "x"), spec, ()).shape == (1, 4, 6)


def test_an_axis_that_the_model_lacks_must_be_one_long() -> None:
    with pytest.raises(AxesMismatch):
        model_tile(np.zeros((2, 4, 6)), ("z", "y", "x"), InputSpec(name="i", axes=("y", "x")), ())


def test_tiles_are_sent_in_a_type_that_the_model_takes() -> None:
    volume = an_image({"y": 4, "x": 6}, dtype=">u2")
    card = a_model(("y", "x"))
    plan = a_plan(card, volume)
    (block,) = blocks(plan)
    image = numbered(volume.shape).astype(">u2")
    tile = read_tile(lambda r: image[slices(r, ("y", "x"))], plan, volume, card.inputs[0], block)
    assert tile.dtype == np.dtype("uint16")
    assert tile.dtype.isnative
    np.testing.assert_array_equal(tile, image)
