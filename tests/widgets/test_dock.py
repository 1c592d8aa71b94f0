"""The dock with a fake client in a real viewer: from choosing to labels that grow, and faults."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.dock import ModelZoo
from hmz_widgets.layers import Picture
from napari_hmz.errors import BackendUnreachable, QuotaExceeded, VoxelSizeMismatch
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
STACK = np.random.default_rng(2).integers(0, 100, (3, 40, 33)).astype(np.uint8)


def labels_of(viewer: Untyped) -> list[Any]:
    return [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]


def idle(dock: ModelZoo) -> Callable[[], bool]:
    return lambda: dock._run is None and not dock._bridge.busy


def says(dock: ModelZoo, words: str) -> Callable[[], bool]:
    return lambda: words in dock.status.line


def gated(make_card: MakeCard) -> tuple[FakeClient, threading.Semaphore]:
    gate = threading.Semaphore(0)
    return FakeClient([make_card()], gate=gate), gate


def test_a_run_from_the_form_to_the_labels(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    image = zoo.viewer.add_image(IMAGE, name="cells")
    zoo.dock.form._rows["threshold"].view.show(70)
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    (layer,) = labels_of(zoo.viewer)
    np.testing.assert_array_equal(layer.data, IMAGE > 70)
    assert zoo.client.runs_started[0].parameters == {"threshold": 70.0}
    assert zoo.dock.status.line == "Done."
    assert layer.metadata["hmz"]["model"] == "threshold"
    assert image.data is IMAGE


def test_a_plan_says_what_a_run_would_take_and_starts_none(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.dock.plan_button.click()
    qtbot.waitUntil(lambda: "to send" in zoo.dock.status.message)
    assert "blocks: 9 of y 16, x 16" in zoo.dock.status.message
    assert not zoo.client.runs_started
    assert not labels_of(zoo.viewer)
    assert zoo.dock.run_button.isEnabled()


def test_a_plan_that_cannot_be_made_says_why(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], refuse=QuotaExceeded("Too much.")))
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.dock.plan_button.click()
    qtbot.waitUntil(lambda: "Too much." in zoo.dock.status.message)


def test_labels_fill_while_chunks_come(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    for block in range(1, 9):
        gate.release()
        qtbot.waitUntil(says(zoo.dock, f"{block} of 9"))
        (layer,) = labels_of(zoo.viewer)
        assert len(np.unique(layer.data)) == 1 + block
        assert not zoo.dock.run_button.isEnabled()
    qtbot.waitUntil(lambda: len(np.unique(layer._slice.image.raw)) == 9, timeout=2000)
    gate.release()
    qtbot.waitUntil(idle(zoo.dock))
    assert set(np.unique(layer.data)) == {0, 1}
    assert zoo.dock.run_button.isEnabled()


def test_cancelling_keeps_what_is_done(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    gate.release()
    qtbot.waitUntil(says(zoo.dock, "1 of 9"))
    zoo.dock.cancel_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert client.runs_started[0].cancelled.is_set()
    assert "Cancelled" in zoo.dock.status.line
    (layer,) = labels_of(zoo.viewer)
    assert layer.data[:16, :16].any()
    assert not layer.data[16:].any()


def test_removing_layers_during_a_run_does_no_harm(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.dock.run_button.click()
    gate.release()
    qtbot.waitUntil(says(zoo.dock, "1 of 9"))
    zoo.viewer.layers.clear()
    mine = zoo.viewer.add_labels(np.zeros((40, 33), int), name="cells labels (threshold)")
    gate.release(8)
    qtbot.waitUntil(idle(zoo.dock))
    assert zoo.dock.status.line == "Done."
    assert not mine.data.any(), "a layer of the same name is not ours"


def test_a_second_run_makes_a_second_layer(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    before = labels_of(zoo.viewer)[0].data.copy()
    zoo.dock.form._rows["threshold"].view.show(90)
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    first, second = labels_of(zoo.viewer)
    np.testing.assert_array_equal(first.data, before)
    np.testing.assert_array_equal(second.data, IMAGE > 90)


def test_closing_the_viewer_leaves_the_run_going(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    gate.release()
    qtbot.waitUntil(says(zoo.dock, "1 of 9"))
    zoo.viewer.close()
    qtbot.waitUntil(lambda: client.closed)
    assert not client.runs_started[0].cancelled.is_set()
    gate.release(8)


def test_a_refused_run_says_what_to_do(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    refusal = QuotaExceeded("It is full.", request_id="r-17")
    zoo = open_zoo(FakeClient([make_card()], refuse=refusal))
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert "It is full." in zoo.dock.status.message
    assert refusal.remedy in zoo.dock.status.message
    assert "r-17" in zoo.dock.status.message
    assert not labels_of(zoo.viewer)
    assert zoo.dock.run_button.isEnabled()


def test_a_backend_that_goes_away_leaves_the_labels(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], break_off=BackendUnreachable("gone")))
    zoo.viewer.add_image(IMAGE)
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert "gone" in zoo.dock.status.message
    (layer,) = labels_of(zoo.viewer)
    assert layer.data[:16, :16].any()


def test_no_backend_is_said_and_can_be_tried_again(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    answers = [BackendUnreachable("Nobody answers.")]

    def connect() -> FakeClient:
        if answers:
            raise answers.pop()
        return FakeClient([make_card()])

    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=connect)
    viewer.window.add_dock_widget(dock)
    qtbot.waitUntil(lambda: "Nobody answers." in dock.status.message)
    assert not dock.run_button.isEnabled()
    qtbot.waitUntil(dock.models.button.isEnabled)
    dock.models.button.click()
    qtbot.waitUntil(lambda: dock.models.card() is not None)
    assert not dock.status.message


def test_what_stands_in_the_way_is_said(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card(axes=["z", "y", "x"])]))
    dock = zoo.dock
    assert "Open an image" in dock._why.text()
    flat = zoo.viewer.add_image(IMAGE)
    assert "z" in dock._why.text()
    zoo.viewer.layers.remove(flat)
    zoo.viewer.add_image(STACK)
    assert not dock._why.text()
    assert dock.run_button.isEnabled()
    dock.image._axes.setCurrentIndex(1)
    assert dock.image.axes() == ("t", "y", "x")
    assert not dock.run_button.isEnabled()
    dock.image._axes.setCurrentIndex(0)
    dock.form._rows["threshold"].view._box.value = 50
    assert dock.run_button.isEnabled()


def test_a_colour_image_needs_a_model_for_colours(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(np.zeros((40, 40, 3), np.uint8), rgb=True)
    assert "colour" in zoo.dock._why.text()


def test_layers_are_followed(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    combo = zoo.dock.image._combo
    first = zoo.viewer.add_image(IMAGE, name="a")
    zoo.viewer.add_labels(np.zeros((4, 4), int))
    zoo.viewer.add_image(IMAGE, name="b")
    assert [combo.itemText(i) for i in range(combo.count())] == ["a", "b"]
    assert zoo.dock.image.layer() == first, "a new layer does not take the place of the chosen"
    first.name = "renamed"
    assert combo.currentText() == "renamed"
    zoo.viewer.layers.remove(first)
    assert combo.currentText() == "b"


def test_news_of_models_keep_the_choice(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client = FakeClient([make_card(id="a", name="A"), make_card(id="b", name="B")])
    zoo = open_zoo(client)
    zoo.dock.models.choose("b")
    client.cards = [*client.cards, make_card(id="0", name="0", parameters={})]
    zoo.dock.refresh()
    qtbot.waitUntil(lambda: zoo.dock.models._combo.count() == 3)
    assert zoo.dock.models.card().id == "b"
    zoo.dock.models.choose("0")
    assert zoo.dock.form.values() == {}


def test_planes_can_be_joined_where_there_are_planes(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    switch = zoo.dock.options.join_planes
    zoo.viewer.add_image(IMAGE)
    assert switch.isHidden()
    zoo.viewer.layers.clear()
    zoo.viewer.add_image(STACK)
    assert not switch.isHidden()
    switch.click()
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert zoo.client.runs_started[0].join_planes
    zoo.dock.image._axes.setCurrentIndex(1)
    assert switch.isHidden()


def test_a_wrong_voxel_size_can_be_ignored(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card()], refuse=VoxelSizeMismatch("Ten times too large.")))
    zoo.viewer.add_image(IMAGE)
    switch = zoo.dock.options.any_voxel_size
    assert switch.isHidden()
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert "Ten times" in zoo.dock.status.message
    assert not switch.isHidden()
    switch.click()
    zoo.dock.run_button.click()
    qtbot.waitUntil(idle(zoo.dock))
    assert zoo.dock.status.line == "Done."


def test_what_is_looked_at_goes_first(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(STACK, scale=(3, 1, 1), translate=(10, 0, 0))
    zoo.viewer.dims.set_current_step(0, 2)
    zoo.dock.run_button.click()
    qtbot.waitUntil(lambda: bool(client.runs_started))
    run = client.runs_started[0]
    qtbot.waitUntil(lambda: run.looked_at == [{"z": (2, 3)}])
    for step in (1, 2, 1, 0):
        zoo.viewer.dims.set_current_step(0, step)
    qtbot.waitUntil(lambda: run.looked_at == [{"z": (2, 3)}, {"z": (0, 1)}])
    gate.release(9)
    qtbot.waitUntil(idle(zoo.dock))
    zoo.viewer.dims.set_current_step(0, 1)
    qtbot.wait(500)
    assert len(run.looked_at) == 2


def test_the_main_thread_neither_connects_nor_reads(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    threads: dict[str, threading.Thread] = {}

    class Watched(FakeClient):
        def models(self, *_: str | None) -> tuple[ModelCard, ...]:
            threads["models"] = threading.current_thread()
            return super().models()

    def connect() -> FakeClient:
        threads["connect"] = threading.current_thread()
        return Watched([make_card()])

    def open_picture(image: Picture, dtypes: tuple[str, ...], /) -> FakeSource:
        threads["open"] = threading.current_thread()
        return FakeSource(image.data, image.axes)

    viewer = make_napari_viewer_proxy()
    viewer.add_image(IMAGE)
    dock = ModelZoo(viewer, connect=connect, open_picture=open_picture)
    viewer.window.add_dock_widget(dock)
    qtbot.waitUntil(dock.run_button.isEnabled)
    dock.run_button.click()
    qtbot.waitUntil(idle(dock))
    assert set(threads) == {"connect", "models", "open"}
    assert threading.main_thread() not in threads.values()
