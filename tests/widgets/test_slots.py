"""The slot of a model's input: which layers it takes, and how a layer is read."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from hmz_widgets.service import open_picture
from hmz_widgets.slots import ImageSlot
from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema import ModelCard

MakeCard = Callable[..., ModelCard]
DTYPES = ("uint8", "uint16")
STACK = np.random.default_rng(1).integers(1, 99, (4, 20, 30)).astype(np.uint8)
DIAMETER = {
    "type": "number",
    "default": 30,
    "minimum": 5,
    "maximum": 300,
    "unit": "px",
    "physical": {"of": "nuclei", "typical_um": 12, "smallest_um": 4, "largest_um": 30},
}


@pytest.fixture
def slot(qtbot: QtBot, viewer: ViewerModel) -> Iterator[ImageSlot]:
    slot = ImageSlot(viewer)
    qtbot.addWidget(slot.native)
    slot.native.show()
    yield slot
    slot.close()


def two_channels(make_card: MakeCard) -> ModelCard:
    spec = {"name": "image", "axes": list("czyx"), "channels": ["nuclei", "membrane"]}
    return make_card(inputs=[spec])


def read(slot: ImageSlot) -> Any:  # noqa: ANN401 # an array
    picture = slot.picture()
    assert picture is not None
    source = open_picture(picture, DTYPES)
    values = source.read({})
    source.close()
    return values


def test_layers_of_the_input_s_kind_are_offered(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    image, labels = viewer.add_image(STACK), viewer.add_labels(STACK.astype(int))
    slot.propose_for(make_card())
    assert slot.layer() == image
    spec = {"name": "objects", "kind": "labels", "axes": ["y", "x"]}
    slot.propose_for(make_card(inputs=[spec]))
    assert slot.layer() == labels
    assert not slot.obstacle()
    viewer.layers.remove(labels)
    assert slot.obstacle() == "This model takes labels, and no layer holds any."


def test_channels_come_from_other_layers(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(STACK + 100, name="Membrane")
    viewer.add_image(np.zeros((4, 20, 31), np.uint8), name="nuclei of another place")
    viewer.add_image(STACK, name="Nuclei")
    slot.propose_for(two_channels(make_card))
    assert not slot.obstacle()
    np.testing.assert_array_equal(read(slot), np.stack([STACK, STACK + 100]))
    picture = slot.picture()
    assert picture is not None
    assert picture.channel_names == ("nuclei", "membrane")
    heard = Mock()
    slot.changed.connect(heard)
    slot._channels._combos[1].native.setCurrentIndex(1)
    assert heard.called
    np.testing.assert_array_equal(read(slot), np.stack([STACK, STACK]))


def test_a_layer_alone_cannot_feed_two_channels(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(STACK)
    slot.propose_for(two_channels(make_card))
    assert "channels (nuclei, membrane)" in slot.obstacle()


def test_channels_of_one_layer_are_chosen(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(np.stack([STACK] * 3), axis_labels=("c", "z", "y", "x"))
    slot.propose_for(two_channels(make_card))
    assert not slot.obstacle()
    assert slot.channels() == (0, 1)
    slot._channels._combos[0].native.setCurrentIndex(2)
    assert slot.channels() == (2, 1)
    slot.propose_for(make_card())
    assert slot.channels() == ()
    slot._channels._combos[0].native.setCurrentIndex(2)
    assert slot.channels() == (1,)


def test_axes_are_corrected_one_by_one(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(STACK)
    slot.propose_for(make_card())
    assert slot.axes() == ("z", "y", "x")
    slot._axes.each.setChecked(True)
    slot._axes._single[0].native.setCurrentIndex(0)
    assert slot.axes() == ("t", "y", "x")
    slot._axes._single[2].native.setCurrentIndex(3)
    assert slot.axes() == ("t", "x", "y")
    slot.propose_for(make_card())
    assert slot.axes() == ("t", "x", "y"), "a correction stays while the image does"


def test_a_level_near_the_model_s_voxel_size_is_proposed(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    levels = [np.zeros((80 // n, 80 // n), np.uint8) for n in (1, 2, 4)]
    layer = viewer.add_image(
        levels, multiscale=True, scale=(0.1, 0.1), translate=(5, 7), units=("um", "um")
    )
    spec = {"name": "image", "axes": ["y", "x"], "voxel_size_um": {"y": 0.2, "x": 0.2}}
    slot.propose_for(make_card(inputs=[spec]))
    picture = slot.picture()
    assert picture is not None
    assert picture.data.shape == (40, 40)
    assert picture.voxel_size == {"y": 0.2, "x": 0.2}
    np.testing.assert_allclose(picture.geometry.translate, [5.05, 7.05])
    slot._level.native.setCurrentIndex(0)
    picture = slot.picture()
    assert picture is not None
    assert picture.data is layer.data[0]
    np.testing.assert_allclose(picture.geometry.translate, [5, 7])


def test_a_coarser_level_lies_on_the_finest(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    levels = [np.zeros((80 // n, 80 // n), np.uint8) for n in (1, 4)]
    layer = viewer.add_image(levels, multiscale=True, rotate=30, shear=[0.2], scale=(2, 1))
    slot.propose_for(make_card())
    slot._level.native.setCurrentIndex(1)
    picture = slot.picture()
    assert picture is not None
    coarse = ViewerModel().add_image(levels[1], **picture.geometry.layer_arguments())
    for corner in ((0, 0), (19, 7)):
        fine = 4 * np.array(corner) + 1.5  # the middle of the pixels that it stands for
        np.testing.assert_allclose(coarse.data_to_world(corner), layer.data_to_world(fine))


def test_the_voxel_size_fills_in_the_diameter_and_can_be_corrected(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(STACK[0])
    slot.propose_for(make_card(parameters={"diameter": DIAMETER}))
    assert slot._voxels._words.text() == "The voxel size is not known."
    heard = Mock()
    slot.suggested.connect(heard)
    slot._voxels.pixel.setValue(0.5)
    assert "y and x 0.5\u00a0µm" in slot._voxels._words.text()
    (button,) = slot._voxels._buttons
    button.click()
    heard.assert_called_once_with("diameter", 24.0)
    picture = slot.picture()
    assert picture is not None
    assert picture.voxel_size == {"y": 0.5, "x": 0.5}
    assert picture.units == {"y": "micrometer", "x": "micrometer"}
    assert picture.geometry.scale.tolist() == [1, 1], "results lie on the layer as it is"
    viewer.add_image(STACK[1])
    slot.choose(viewer.layers[1])
    assert slot._voxels.given() == {}, "what was given is of another layer"


def test_a_voxel_size_far_from_the_model_s_is_said(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(STACK[0], scale=(2, 2), units=("um", "um"))
    spec = {"name": "image", "axes": ["y", "x"], "voxel_size_um": {"y": 0.5, "x": 0.5}}
    slot.propose_for(make_card(inputs=[spec]))
    assert "0.5 µm" in slot.size_misfit()
    assert slot.size_misfit() in slot._voxels._words.text()
    slot._voxels.pixel.setValue(0.6)
    assert not slot.size_misfit()


def test_colours_are_the_channels_of_a_model_that_takes_three(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    viewer.add_image(np.zeros((20, 30, 3), np.uint8), rgb=True)
    spec = {"name": "image", "axes": ["c", "y", "x"], "channels": ["r", "g", "b"]}
    slot.propose_for(make_card(inputs=[spec]))
    assert (slot.axes(), slot.obstacle()) == (("y", "x", "c"), "")
    slot.propose_for(make_card())
    assert "colour" in slot.obstacle()


def test_a_lazy_layer_that_cannot_be_computed_says_so(
    slot: ImageSlot, viewer: ViewerModel, make_card: MakeCard
) -> None:
    def broken(block: Any) -> Any:  # noqa: ANN401 # dask's own
        if block.any():
            raise OSError("the disk has gone")
        return block

    lazy = da.from_array(np.eye(8, dtype=np.uint8), chunks=4).map_blocks(broken, dtype=np.uint8)
    viewer.add_image(lazy[:4, 4:], contrast_limits=(0, 1))
    viewer.layers[0].data = lazy[:4, 4:]
    slot.propose_for(make_card())
    picture = slot.picture()
    assert picture is not None
    source = open_picture(picture, DTYPES)
    assert not source.read({}).any()
    with pytest.raises(SourceUnreadable, match="the disk has gone"):
        open_picture(type(picture)("lazy", lazy, ("y", "x"), picture.geometry), DTYPES).read({})
