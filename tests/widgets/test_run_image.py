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
