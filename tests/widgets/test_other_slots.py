"""The slots beside the first: layers of the right kind, on the same voxels, handed on by name."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from hmz_widgets.layers import Picture, picture
from hmz_widgets.options import OptionsView
from hmz_widgets.order import Order, begin
from hmz_widgets.other_slots import OtherSlots
from hmz_widgets.service import open_picture
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MakeCard = Callable[..., ModelCard]
STACK = np.random.default_rng(1).integers(1, 99, (4, 20, 30)).astype(np.uint8)
CELLS = (STACK > 50).astype(np.int32)
IMAGE = {"name": "image", "axes": ["z", "y", "x"]}
LABELS = {"name": "cells", "kind": "labels", "axes": ["z", "y", "x"], "dtypes": ["int32"]}


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def slots(qtbot: QtBot, viewer: ViewerModel) -> Iterator[OtherSlots]:
    slots = OtherSlots(viewer)
    qtbot.addWidget(slots.native)
    yield slots
    slots.close()


def pictured(layer: Any) -> Picture:  # noqa: ANN401 # napari is untyped here
    return picture(layer, ("z", "y", "x"))


def test_a_model_of_one_input_has_no_further_slot(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    slots.propose_for(make_card(inputs=[IMAGE]), viewer.add_image(STACK))
    assert slots.native.isHidden()
    assert slots.obstacle(None) == ""


def test_labels_fill_the_input_for_labels(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK, name="raw")
    card = make_card(inputs=[IMAGE, LABELS])
    slots.propose_for(card, first)
    assert slots.obstacle(pictured(first)) == "cells: no layer holds any labels."
    labels = viewer.add_labels(CELLS)
    assert slots.box("cells").layer() == labels
    assert slots.obstacle(pictured(first)) == ""
    assert slots.pictures(pictured(first))["cells"].data is labels.data


def test_another_image_is_proposed_than_the_first(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    other, first = viewer.add_image(STACK, name="dark"), viewer.add_image(STACK, name="raw")
    slots.propose_for(make_card(inputs=[IMAGE, {**IMAGE, "name": "dark"}]), first)
    assert slots.box("dark").layer() == other


def test_an_optional_input_may_stay_empty(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    slots.propose_for(make_card(inputs=[IMAGE, {**LABELS, "optional": True}]), first)
    viewer.add_labels(CELLS)
    assert slots.box("cells").layer() is None
    assert slots.obstacle(pictured(first)) == ""
    assert slots.pictures(pictured(first)) == {}


def test_what_lies_on_other_voxels_is_named(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    viewer.add_labels(CELLS[:, :10], name="half")
    assert "half has 4 x 10 x 30 voxels; the image has 4 x 20 x 30" in slots.obstacle(
        pictured(first)
    )


def test_the_level_of_a_pyramid_that_fits_is_taken(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    fine = np.repeat(np.repeat(CELLS, 2, axis=1), 2, axis=2)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    viewer.add_labels([fine, CELLS], multiscale=True)
    assert slots.obstacle(pictured(first)) == ""
    assert slots.pictures(pictured(first))["cells"].data.shape == CELLS.shape


def test_the_client_gets_every_input_by_its_name(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    card = make_card(inputs=[IMAGE, LABELS])
    slots.propose_for(card, first)
    viewer.add_labels(CELLS)
    image, client = pictured(first), FakeClient([card])
    options = OptionsView().values()
    order = Order(card, image, {}, options, {}, others=slots.pictures(image))
    begin(client, open_picture, order)
    given = client.runs_started[0].inputs["cells"]
    np.testing.assert_array_equal(given.read({}), CELLS)
