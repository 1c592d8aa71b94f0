"""Results lie where their image lies, for every kind of image, and are redrawn while they fill."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from hmz_widgets.layers import OutputLayer, Picture, finest, picture
from napari_hmz.live import Begun, Canvas, perform
from napari_hmz.schema import AXIS_ORDER, Axes, ChunkDone, ModelCard, Region, Run
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource

MakeCard = Callable[..., ModelCard]
PLACES: dict[str, dict[str, Any]] = {
    "2-D": {"shape": (20, 30), "axes": "yx", "scale": (0.5, 0.5)},
    "3-D": {"shape": (4, 20, 30), "axes": "zyx"},
    "anisotropic": {
        "shape": (4, 20, 30),
        "axes": "zyx",
        "scale": (2.0, 0.3, 0.3),
        "units": ("um", "um", "um"),
        "axis_labels": ("z", "y", "x"),
    },
    "translated": {"shape": (20, 30), "axes": "yx", "translate": (100.0, -7.5), "scale": (2, 3)},
    "over time": {
        "shape": (2, 4, 20, 30),
        "axes": "tzyx",
        "scale": (30.0, 2.0, 0.3, 0.3),
        "units": ("s", "um", "um", "um"),
    },
    "turned": {
        "shape": (4, 20, 30),
        "axes": "zyx",
        "rotate": (10, 20, 30),
        "shear": (0.1, 0.0, 0.2),
        "scale": (2, 1, 1),
        "translate": (1, 2, 3),
        "affine": np.diag([1.0, 2.0, 1.0, 1.0]),
    },
}


YX: Axes = ("y", "x")
ZYX: Axes = ("z", "y", "x")


def begun(image: Picture, make_card: MakeCard, **card: object) -> tuple[Run, Canvas]:
    client = FakeClient([make_card(**card)])
    source = FakeSource(image.data, image.axes)
    first = next(perform(lambda: client.run("threshold", source)))
    assert isinstance(first, Begun)
    return first.run, first.canvases["labels"]


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari says so of turned images
@pytest.mark.parametrize("case", PLACES)
def test_labels_lie_on_their_image(qtbot: QtBot, case: str, make_card: MakeCard) -> None:
    place = dict(PLACES[case])
    viewer, axes = ViewerModel(), tuple(place.pop("axes"))
    image = viewer.add_image(np.zeros(place.pop("shape"), np.uint8), name="cells", **place)
    pictured = picture(image, axes)
    run, canvas = begun(pictured, make_card)
    output = OutputLayer(viewer, canvas, pictured, run)
    labels = viewer.layers[-1]
    corner = np.array(image.data.shape) - 1
    for point in (np.zeros(image.ndim), corner, corner / 3):
        np.testing.assert_allclose(labels.data_to_world(point), image.data_to_world(point))
    assert labels.units == image.units
    assert labels.name == "cells labels (threshold)"
    if "axis_labels" in place:
        assert labels.axis_labels == image.axis_labels
    output.close()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_an_output_of_a_part_lies_on_that_part(data: st.DataObject) -> None:
    axes = data.draw(
        st.permutations(AXIS_ORDER)
        .map(lambda order: tuple(order[:4]))
        .filter(lambda order: {"y", "x"} <= set(order))
    )
    angles, ndim = st.floats(-80, 80), len(axes)
    image = Image(
        np.zeros((2,) * ndim),
        scale=data.draw(st.lists(st.floats(0.1, 9), min_size=ndim, max_size=ndim)),
        translate=data.draw(st.lists(st.floats(-99, 99), min_size=ndim, max_size=ndim)),
        rotate=_turned(ndim, data.draw(angles)),
    )
    start = {axis: data.draw(st.integers(0, 50)) for axis in axes}
    moved = picture(image, axes).geometry.of_output(axes, start)
    part = Image(np.zeros((2,) * ndim), **moved.layer_arguments())
    offset = np.array([start[axis] for axis in axes])
    point = np.arange(ndim)
    np.testing.assert_allclose(
        part.data_to_world(point), image.data_to_world(point + offset), atol=1e-6
    )


def _turned(ndim: int, degrees: float) -> Any:  # noqa: ANN401 # a matrix
    """Turn the last two axes only."""
    matrix = np.eye(ndim)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix[-2:, -2:] = [[c, -s], [s, c]]
    return matrix


def test_an_axis_that_is_dropped_leaves_the_others_in_place() -> None:
    image = Image(
        np.zeros((3, 4, 20, 30)),
        scale=(1, 2.0, 0.3, 0.4),
        translate=(0, 5, 6, 7),
        units=("", "um", "um", "um"),
        axis_labels=("c", "z", "y", "x"),
    )
    kept = picture(image, ("c", "z", "y", "x")).geometry.of_output(("z", "y", "x"), {"z": 2})
    assert kept.scale.tolist() == [2.0, 0.3, 0.4]
    assert kept.translate.tolist() == [9, 6, 7]
    assert kept.units == ("micrometer",) * 3
    assert kept.axis_labels == ("z", "y", "x")


def test_a_pyramid_gives_its_finest_level() -> None:
    image = Image([np.zeros((40, 40)), np.zeros((20, 20))], multiscale=True)
    assert finest(image).shape == (40, 40)
    assert picture(image, ("y", "x")).data.shape == (40, 40)


def test_the_colours_of_a_picture_are_its_last_axis() -> None:
    image = Image(np.zeros((40, 50, 3), np.uint8), rgb=True, scale=(2, 2))
    pictured = picture(image, ("y", "x", "c"))
    assert pictured.voxel_size == {"y": 2.0, "x": 2.0, "c": 1.0}


def test_pixels_are_no_units() -> None:
    assert picture(Image(np.zeros((4, 4))), ("y", "x")).units == {}
    image = Image(np.zeros((4, 4)), units=("um", "um"))
    assert picture(image, ("y", "x")).units == {"y": "micrometer", "x": "micrometer"}


def done(region: Region) -> ChunkDone:
    return ChunkDone(number=1, output="labels", key="c/0", region=region, final=False, digest="d")


def test_a_removed_layer_is_left_alone_at_the_end(make_card: MakeCard, qtbot: QtBot) -> None:
    viewer = ViewerModel()
    image = picture(viewer.add_image(np.zeros((4, 20, 30), np.uint8)), ZYX)
    run, canvas = begun(image, make_card)
    output = OutputLayer(viewer, canvas, image, run)
    refreshed: list[str] = []
    viewer.layers[-1].events.set_data.connect(lambda: refreshed.append("now"))
    viewer.layers.clear()
    refreshed.clear()
    output.finish()
    assert not refreshed


def test_the_contrast_of_an_image_follows_its_values(qtbot: QtBot, make_card: MakeCard) -> None:
    viewer = ViewerModel()
    image = picture(viewer.add_image(np.zeros((20, 30), np.uint8)), YX)
    run, canvas = begun(image, make_card, kind="image", dtype="float32")
    output = OutputLayer(viewer, canvas, image, run)
    region: Region = {"y": (0, 20), "x": (0, 30)}
    canvas.fill(done(region), np.linspace(-5, 900, 600).reshape(20, 30))
    output.mark(region)
    qtbot.waitUntil(lambda: viewer.layers[-1].contrast_limits == [-5, 900])
    output.close()
