"""Which layers can send a run the rest of its image, and which one is proposed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.run_image import RunImage
from napari_hmz.schema import Progress, Run
from napari_hmz.testing.fake_run import fake_run

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
IMAGE = np.arange(12 * 15, dtype=np.uint8).reshape(12, 15)


def a_run(**progress: int) -> Run:
    """A run on the whole of an image of 12 x 15 that was called `n`."""
    run = fake_run(region={"y": (0, 12), "x": (0, 15)})
    how = Progress.model_validate(progress)
    return run.model_copy(update={"state": "running", "progress": how})


@pytest.fixture
def image(viewer: Untyped, qtbot: QtBot) -> Iterator[RunImage]:
    image = RunImage(viewer)
    qtbot.addWidget(image.native)
    yield image
    image.close()


def offered(image: RunImage) -> list[str]:
    box = image.choice.native
    return [box.itemText(place) for place in range(box.count())]


def test_the_layer_of_the_same_name_is_proposed(image: RunImage, viewer: Untyped) -> None:
    viewer.add_image(IMAGE, name="n", scale=(2, 2))
    viewer.add_image(IMAGE + 1, name="other")
    image.suit(a_run(chunks_needed=4, chunks_held=1))
    assert not image.native.isHidden()
    assert offered(image) == ["not from here", "n", "other"]
    assert image.source() is viewer.layers["n"].data
    chosen = image.picture()
    assert chosen is not None
    assert (chosen.name, chosen.axes) == ("n", ("y", "x"))


def test_a_layer_of_another_name_is_taken_only_if_the_person_says_so(
    image: RunImage, viewer: Untyped
) -> None:
    renamed = viewer.add_image(IMAGE, name="cells")
    image.suit(a_run(chunks_needed=4, chunks_held=1))
    assert image.source() is None
    image.choice.choose(renamed)
    image.suit(a_run(chunks_needed=4, chunks_held=2))  # the list was asked for again
    assert image.source() is renamed.data


def test_what_cannot_be_it_is_not_offered(image: RunImage, viewer: Untyped) -> None:
    viewer.add_image(IMAGE[:-1], name="n")
    viewer.add_labels(IMAGE.astype(int), name="labels")
    image.suit(a_run(chunks_needed=4, chunks_held=1))
    assert image.native.isHidden()
    viewer.add_image(IMAGE, name="opened again")
    assert not image.native.isHidden()


def test_a_run_that_has_its_image_asks_for_none(image: RunImage, viewer: Untyped) -> None:
    viewer.add_image(IMAGE, name="n")
    image.suit(a_run(chunks_needed=4, chunks_held=4))
    assert image.native.isHidden()
    assert image.source() is None


def test_of_a_pyramid_all_levels_are_given(image: RunImage, viewer: Untyped) -> None:
    viewer.add_image([IMAGE, IMAGE[::2, ::2]], name="n", multiscale=True)
    image.suit(a_run(chunks_needed=4, chunks_held=1))
    assert [level.shape for level in image.source()] == [(12, 15), (6, 8)]


def a_run_of_channels(*channels: int) -> Run:
    """A run on an image of 12 x 15 with two channels, or on chosen ones of an image with more."""
    taken = (min(channels), max(channels) + 1) if channels else (0, 2)
    run = fake_run(region={"c": taken, "y": (0, 12), "x": (0, 15)})
    request = run.request.model_copy(update={"channels": channels})
    lacking = Progress(chunks_needed=4, chunks_held=1)
    update = {"state": "running", "progress": lacking, "request": request}
    return run.model_copy(update=update)


def test_an_image_of_which_one_channel_was_chosen_can_send_it(
    image: RunImage, viewer: Untyped
) -> None:
    layer = viewer.add_image(np.stack([IMAGE] * 3), name="n")
    viewer.add_image(IMAGE, name="has no channels")
    image.suit(a_run_of_channels(1))
    assert offered(image) == ["not from here", "n"]
    assert image.source() is layer.data
    assert not image.stack.is_open


def rows(image: RunImage) -> list[list[str]]:
    boxes = [combo.native for combo in image.stack._combos]
    return [[box.itemText(place) for place in range(box.count())] for box in boxes]


def test_layers_that_were_the_channels_are_asked_for_one_by_one(
    image: RunImage, viewer: Untyped
) -> None:
    first = viewer.add_image(IMAGE, name="n", scale=(2, 2))
    image.suit(a_run_of_channels())
    assert image.native.isHidden()  # one is too few
    more = viewer.add_image(np.stack([IMAGE] * 3), name="more")
    viewer.add_image(IMAGE[1:], name="other")
    assert not image.native.isHidden()
    words = ["not from here", "n", "more, channel 1", "more, channel 2", "more, channel 3"]
    assert rows(image) == [words, words]
    image.stack._combos[1].native.setCurrentIndex(0)
    assert image.source() is None
    image.stack._combos[1].native.setCurrentIndex(3)
    image.suit(a_run_of_channels())  # the list was asked for again
    viewer.add_image(IMAGE, name="another")
    parts = [(part.thing, part.channel) for part in image.source()]
    assert [channel for _, channel in parts] == [None, 1]
    assert parts[0][0] is first.data
    assert parts[1][0] is more.data
    chosen = image.picture()
    assert chosen is not None
    assert (chosen.name, chosen.axes) == ("n", ("y", "x"))


def test_layers_are_proposed_as_channels_where_the_first_has_the_name(
    image: RunImage, viewer: Untyped
) -> None:
    viewer.add_image(IMAGE, name="cells")
    viewer.add_image(IMAGE, name="n")
    image.suit(a_run_of_channels())
    first, second = image.source()
    assert first.thing is viewer.layers["n"].data
    assert second.thing is viewer.layers["cells"].data
    viewer.layers["n"].name = "renamed"
    image.suit(None)
    image.suit(a_run_of_channels())
    assert image.source() is None


def test_one_image_with_all_channels_needs_no_more(image: RunImage, viewer: Untyped) -> None:
    whole = viewer.add_image(np.stack([IMAGE] * 2), name="n")
    image.suit(a_run_of_channels())
    assert image.source() is whole.data
    assert not image.stack.is_open
    image.choice.native.setCurrentIndex(0)
    assert image.stack.is_open  # its channels may have been taken one by one
    assert image.source() is None
