"""The page of a model, with a fake client in a real viewer: from choosing to labels, and faults."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_hmz.errors import BackendUnreachable, QuotaExceeded, VoxelSizeMismatch
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

Zoo = Any
OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
STACK = np.random.default_rng(2).integers(0, 100, (3, 40, 33)).astype(np.uint8)


def labels_of(viewer: Untyped) -> list[Any]:
    return [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]


def idle(zoo: Zoo) -> Callable[[], bool]:
    return lambda: not zoo.page.running and not zoo.dock.bridge.busy


def says(zoo: Zoo, words: str) -> Callable[[], bool]:
    return lambda: words in zoo.page.status.line


def gated(make_card: MakeCard) -> tuple[FakeClient, threading.Semaphore]:
    gate = threading.Semaphore(0)
    return FakeClient([make_card()], gate=gate), gate


def test_a_run_from_the_form_to_the_labels(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    image = zoo.viewer.add_image(IMAGE, name="cells")
    zoo.page.form._rows["threshold"].view.show(70)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    (layer,) = labels_of(zoo.viewer)
    np.testing.assert_array_equal(layer.data, IMAGE > 70)
    assert zoo.client.runs_started[0].parameters == {"threshold": 70.0}
    assert zoo.page.status.line == "Done."
    assert layer.metadata["hmz"]["model"] == "threshold"
    assert image.data is IMAGE


def test_a_plan_says_what_a_run_would_take_and_starts_none(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.page.desk.plan_button.click()
    qtbot.waitUntil(lambda: "to send" in zoo.page.status.message)
    assert "blocks: 9 of y 16, x 16" in zoo.page.status.message
    assert not zoo.client.runs_started
    assert not labels_of(zoo.viewer)
    assert zoo.page.desk.run_button.isEnabled()


def test_a_plan_that_cannot_be_made_says_why(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], refuse=QuotaExceeded("Too much.")))
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.page.desk.plan_button.click()
    qtbot.waitUntil(lambda: "Too much." in zoo.page.status.message)


def test_labels_fill_while_chunks_come(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.run_button.click()
    for block in range(1, 9):
        gate.release()
        qtbot.waitUntil(says(zoo, f"{block} of 9"))
        (layer,) = labels_of(zoo.viewer)
        assert len(np.unique(layer.data)) == 1 + block
        assert not zoo.page.desk.run_button.isEnabled()
    qtbot.waitUntil(lambda: len(np.unique(layer._slice.image.raw)) == 9, timeout=2000)
    gate.release()
    qtbot.waitUntil(idle(zoo))
    assert set(np.unique(layer.data)) == {0, 1}
    assert zoo.page.desk.run_button.isEnabled()


def test_cancelling_keeps_what_is_done(start_run: Callable[..., Zoo], qtbot: QtBot) -> None:
    zoo = start_run(IMAGE)
    zoo.page.desk.cancel_button.click()
    qtbot.waitUntil(idle(zoo))
    assert zoo.client.runs_started[0].cancelled.is_set()
    assert "Cancelled" in zoo.page.status.line
    (layer,) = labels_of(zoo.viewer)
    assert layer.data[:16, :16].any()
    assert not layer.data[16:].any()


def test_removing_layers_during_a_run_does_no_harm(
    start_run: Callable[..., Zoo], qtbot: QtBot
) -> None:
    zoo = start_run(IMAGE)
    zoo.viewer.layers.clear()
    mine = zoo.viewer.add_labels(np.zeros((40, 33), int), name="cells labels (threshold)")
    zoo.client.gate.release(8)
    qtbot.waitUntil(idle(zoo))
    assert zoo.page.status.line == "Done."
    assert not mine.data.any(), "a layer of the same name is not ours"


def test_a_second_run_makes_a_second_layer(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    before = labels_of(zoo.viewer)[0].data.copy()
    zoo.page.form._rows["threshold"].view.show(90)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    first, second = labels_of(zoo.viewer)
    np.testing.assert_array_equal(first.data, before)
    np.testing.assert_array_equal(second.data, IMAGE > 90)


def test_a_refused_run_says_what_to_do(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    refusal = QuotaExceeded("It is full.", request_id="r-17")
    zoo = open_zoo(FakeClient([make_card()], refuse=refusal))
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    assert "It is full." in zoo.page.status.message
    assert refusal.remedy in zoo.page.status.message
    assert "r-17" in zoo.page.status.message
    assert not labels_of(zoo.viewer)
    assert zoo.page.desk.run_button.isEnabled()


def test_a_backend_that_goes_away_leaves_the_labels(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], break_off=BackendUnreachable("gone")))
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    assert "gone" in zoo.page.status.message
    (layer,) = labels_of(zoo.viewer)
    assert layer.data[:16, :16].any()


def test_what_stands_in_the_way_is_said(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card(axes=["z", "y", "x"])]))
    page = zoo.page
    assert "Open an image" in page._why.text()
    flat = zoo.viewer.add_image(IMAGE)
    assert "z" in page._why.text()
    zoo.viewer.layers.remove(flat)
    zoo.viewer.add_image(STACK)
    assert not page._why.text()
    assert page.desk.run_button.isEnabled()
    page.image._axes._whole.native.setCurrentIndex(1)
    assert page.image.axes() == ("t", "y", "x")
    assert not page.desk.run_button.isEnabled()
    page.image._axes._whole.native.setCurrentIndex(0)
    page.form._rows["threshold"].view._box.value = 50
    assert page.desk.run_button.isEnabled()


def test_a_colour_image_needs_a_model_for_colours(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(np.zeros((40, 40, 3), np.uint8), rgb=True)
    assert "colour" in zoo.page._why.text()


def test_layers_are_followed(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    combo = zoo.page.image._images.native
    first = zoo.viewer.add_image(IMAGE, name="a")
    zoo.viewer.add_labels(np.zeros((4, 4), int))
    zoo.viewer.add_image(IMAGE, name="b")
    assert [combo.itemText(i) for i in range(combo.count())] == ["a", "b"]
    assert zoo.page.image.layer() == first, "a new layer does not take the place of the chosen"
    first.name = "renamed"
    assert combo.currentText() == "renamed"
    zoo.viewer.layers.remove(first)
    assert combo.currentText() == "b"


def test_news_of_models_keep_the_choice(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client = FakeClient([make_card(id="a", name="A"), make_card(id="b", name="B")])
    zoo = open_zoo(client)
    zoo.page.models.choose("b")
    client.cards = [*client.cards, make_card(id="0", name="0", parameters={})]
    zoo.page.refresh()
    qtbot.waitUntil(lambda: len(zoo.page.models.chosen.cards()) == 3)
    assert zoo.page.models.card().id == "b"
    zoo.page.models.choose("0")
    assert zoo.page.form.values() == {}


def test_planes_can_be_joined_where_there_are_planes(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    switch = zoo.page.options.join_planes
    zoo.viewer.add_image(IMAGE)
    assert switch.isHidden()
    zoo.viewer.layers.clear()
    zoo.viewer.add_image(STACK)
    assert not switch.isHidden()
    switch.click()
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    assert zoo.client.runs_started[0].join_planes
    zoo.page.image._axes._whole.native.setCurrentIndex(1)
    assert switch.isHidden()


def test_a_wrong_voxel_size_can_be_ignored(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], refuse=VoxelSizeMismatch("Ten times too large.")))
    zoo.viewer.add_image(IMAGE)
    switch = zoo.page.options.any_voxel_size
    assert switch.isHidden()
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    assert "Ten times" in zoo.page.status.message
    assert not switch.isHidden()
    switch.click()
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo))
    assert zoo.page.status.line == "Done."


def test_what_is_looked_at_goes_first(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(STACK, scale=(3, 1, 1), translate=(10, 0, 0))
    zoo.viewer.dims.set_current_step(0, 2)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(client.runs_started))
    run = client.runs_started[0]
    begun = [{"z": (2, 3)}] * 2  # before anything is sent, and once there is a layer
    qtbot.waitUntil(lambda: run.looked_at == begun)
    assert run.is_held
    gate.release()
    qtbot.waitUntil(lambda: not run.is_held)  # its first labels are on show
    for step in (1, 2, 1, 0):
        zoo.viewer.dims.set_current_step(0, step)
    qtbot.waitUntil(lambda: run.looked_at == [*begun, {"z": (0, 1)}])
    gate.release(9)
    qtbot.waitUntil(idle(zoo))
    zoo.viewer.dims.set_current_step(0, 1)
    qtbot.wait(500)
    assert len(run.looked_at) == 3
