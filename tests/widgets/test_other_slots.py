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
from napari_hmz.schema import AXIS_ORDER, ModelCard
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
    assert slots.obstacle() == ""


def test_labels_fill_the_input_for_labels(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK, name="raw")
    card = make_card(inputs=[IMAGE, LABELS])
    slots.propose_for(card, first)
    slots.lie_on(pictured(first))
    assert slots.obstacle() == "cells: no layer holds any labels."
    labels = viewer.add_labels(CELLS)
    assert slots.slot("cells").box.layer() == labels
    assert slots.obstacle() == ""
    assert slots.pictures()["cells"].data is labels.data


def test_another_image_is_proposed_than_the_first(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    other, first = viewer.add_image(STACK, name="dark"), viewer.add_image(STACK, name="raw")
    slots.propose_for(make_card(inputs=[IMAGE, {**IMAGE, "name": "dark"}]), first)
    slots.lie_on(pictured(first))
    assert slots.slot("dark").box.layer() == other


def test_an_optional_input_may_stay_empty(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    slots.propose_for(make_card(inputs=[IMAGE, {**LABELS, "optional": True}]), first)
    slots.lie_on(pictured(first))
    viewer.add_labels(CELLS)
    assert slots.slot("cells").box.layer() is None
    assert slots.obstacle() == ""
    assert slots.pictures() == {}


def test_what_lies_on_other_voxels_is_named(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    slots.lie_on(pictured(first))
    viewer.add_labels(CELLS[:, :10], name="half")
    assert "half has 4 x 10 x 30 voxels; the image has 4 x 20 x 30" in slots.obstacle()


def test_the_level_of_a_pyramid_that_fits_is_taken(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    fine = np.repeat(np.repeat(CELLS, 2, axis=1), 2, axis=2)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    slots.lie_on(pictured(first))
    viewer.add_labels([fine, CELLS], multiscale=True)
    assert slots.obstacle() == ""
    assert slots.pictures()["cells"].data.shape == CELLS.shape


def test_the_client_gets_every_input_by_its_name(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    card = make_card(inputs=[IMAGE, LABELS])
    slots.propose_for(card, first)
    slots.lie_on(pictured(first))
    viewer.add_labels(CELLS)
    image, client = pictured(first), FakeClient([card])
    options = OptionsView().values()
    order = Order(card, image, {}, options, {}, others=slots.pictures())
    begin(client, open_picture, order)
    given = client.runs_started[0].inputs["cells"]
    np.testing.assert_array_equal(given.read({}), CELLS)


def test_axes_and_channels_can_be_corrected(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    two = np.stack([STACK, STACK + 100])
    viewer.add_image(np.moveaxis(two, 0, 1), name="two")  # z, c, y, x
    first = viewer.add_image(STACK, name="raw")
    slots.propose_for(make_card(inputs=[IMAGE, {**IMAGE, "name": "dark"}]), first)
    slots.lie_on(pictured(first))
    slot = slots.slot("dark")
    assert slot.box.layer().name == "two"
    for place, axis in enumerate(("z", "c", "y", "x")):
        slot.axes._single[place].native.setCurrentIndex(AXIS_ORDER.index(axis))
    slot.channels._combos[0].native.setCurrentIndex(2)  # after "all"
    assert slots.obstacle() == ""
    dark = open_picture(slots.pictures()["dark"], ("uint8",))
    np.testing.assert_array_equal(dark.read({}), STACK + 100)


def test_a_corrected_voxel_size_is_that_of_every_input(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first = viewer.add_image(STACK)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    viewer.add_labels(CELLS)
    slots.lie_on(picture(first, ("z", "y", "x"), calibration={"y": 0.3, "x": 0.3}))
    cells = slots.pictures()["cells"]
    assert (cells.voxel_size["x"], cells.units["x"]) == (0.3, "micrometer")


def test_something_else_for_an_input_is_told(
    slots: OtherSlots, viewer: ViewerModel, make_card: MakeCard
) -> None:
    first, told = viewer.add_image(STACK), []
    viewer.add_labels(CELLS)
    slots.propose_for(make_card(inputs=[IMAGE, LABELS]), first)
    slots.changed.connect(lambda: told.append(1))
    slots.slot("cells").box.choose(viewer.add_labels(CELLS, name="newer"))
    assert told
