"""Previewing, choosing region and output, and the plan that is shown before a heavy run."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_hmz.errors import QuotaExceeded
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
STACK = np.random.default_rng(2).integers(0, 100, (3, 40, 33)).astype(np.uint8)
WAIT_MS = 20_000


def labels_of(viewer: Untyped) -> list[Any]:
    return [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]


def idle(zoo: Untyped) -> Callable[[], bool]:
    return lambda: not zoo.dock.bridge.busy


def previewed(zoo: Untyped, qtbot: QtBot, times: int) -> None:
    qtbot.waitUntil(lambda: len(zoo.client.runs_started) == times, timeout=WAIT_MS)
    qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)


def test_a_preview_runs_the_plane_on_show_only(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(STACK, name="cells", scale=(3, 1, 1))
    zoo.viewer.dims.set_current_step(0, 2)
    zoo.page.desk.preview_button.click()
    previewed(zoo, qtbot, 1)
    assert zoo.client.runs_started[0].region == {"z": (2, 3), "y": (0, 40), "x": (0, 33)}
    (layer,) = labels_of(zoo.viewer)
    assert layer.name.startswith("Preview: cells")
    np.testing.assert_array_equal(layer.data, STACK[2:] > 50)
    np.testing.assert_allclose(layer.translate, (6, 0, 0))


def test_a_changed_parameter_previews_again_and_replaces_only_the_preview(
    open_zoo: OpenZoo, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE, name="cells")
    mine = zoo.viewer.add_labels(np.zeros((40, 33), int), name="Preview: cells labels (threshold)")
    zoo.page.desk.preview_button.click()
    previewed(zoo, qtbot, 1)
    zoo.page.form._rows["threshold"].view._box.value = 80
    previewed(zoo, qtbot, 2)
    theirs, ours = labels_of(zoo.viewer)
    assert theirs == mine
    assert not mine.data.any()
    np.testing.assert_array_equal(ours.data, IMAGE > 80)


def test_another_layer_for_a_further_input_previews_again(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    inputs = [{"name": "image", "axes": ["y", "x"]}, {"name": "dark", "axes": ["y", "x"]}]
    zoo = open_zoo(FakeClient([make_card(inputs=inputs)]))
    newer = zoo.viewer.add_image(IMAGE // 2, name="newer")
    zoo.viewer.add_image(IMAGE // 3, name="older")
    zoo.page.image.choose(zoo.viewer.add_image(IMAGE, name="cells"))
    zoo.page.others.slot("dark").box.choose(zoo.viewer.layers["older"])
    zoo.page.desk.preview_button.click()
    previewed(zoo, qtbot, 1)
    zoo.page.others.slot("dark").box.choose(newer)
    previewed(zoo, qtbot, 2)
    before, after = (run.inputs["dark"].request.name for run in zoo.client.runs_started)
    assert (before, after) == ("older", "newer")


def test_no_preview_follows_where_it_is_switched_off(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.preview_button.click()
    previewed(zoo, qtbot, 1)
    zoo.page.desk.live.setChecked(False)
    zoo.page.form._rows["threshold"].view._box.value = 80
    qtbot.wait(1000)
    assert len(zoo.client.runs_started) == 1


def test_a_run_takes_the_place_of_the_preview(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.page.desk.preview_button.click()
    previewed(zoo, qtbot, 1)
    zoo.page.desk.run_button.click()
    previewed(zoo, qtbot, 2)
    (layer,) = labels_of(zoo.viewer)
    assert layer.name == "cells labels (threshold)"


def test_the_box_of_a_shape_is_run_through_all_planes(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(STACK, scale=(3, 2, 2))
    desk = zoo.page.desk
    desk.regions.part.setCurrentIndex(2)
    assert not desk.run_button.isEnabled()
    zoo.viewer.add_shapes([np.array([[10, 8], [10, 20], [30, 20], [30, 8]])])
    desk.regions.part.setCurrentIndex(0)
    desk.regions.part.setCurrentIndex(2)
    desk.run_button.click()
    previewed(zoo, qtbot, 1)
    assert zoo.client.runs_started[0].region == {"z": (0, 3), "y": (5, 16), "x": (4, 11)}


def test_time_points_can_be_chosen(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(STACK, axis_labels=("t", "y", "x"))
    assert zoo.page.image.axes() == ("t", "y", "x")
    zoo.page.desk.regions.first.setValue(1)
    zoo.page.desk.run_button.click()
    previewed(zoo, qtbot, 1)
    assert zoo.client.runs_started[0].region["t"] == (1, 3)


def test_the_output_goes_where_it_is_asked_for(
    open_zoo: OpenZoo, tmp_path: Path, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    desk = zoo.page.desk
    desk.output.stored.setChecked(True)
    assert not desk.run_button.isEnabled()
    desk.output.path.setText(str(tmp_path / "out.zarr"))
    desk.run_button.click()
    previewed(zoo, qtbot, 1)
    assert zoo.client.runs_started[0].output == tmp_path / "out.zarr"


def test_a_heavy_run_starts_when_it_is_agreed_to(
    open_zoo: OpenZoo, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("napari_hmz.weight.LARGE_VOXELS", 10)
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    desk = zoo.page.desk
    desk.run_button.click()
    qtbot.waitUntil(lambda: not desk.confirmation.isHidden(), timeout=WAIT_MS)
    assert "blocks: 9" in zoo.page.status.message
    assert "nobody knows" in zoo.page.status.message
    assert not zoo.client.runs_started
    desk.dismiss_button.click()
    assert desk.confirmation.isHidden()
    qtbot.waitUntil(desk.run_button.isEnabled, timeout=WAIT_MS)
    desk.run_button.click()
    qtbot.waitUntil(lambda: not desk.confirmation.isHidden(), timeout=WAIT_MS)
    desk.start_button.click()
    previewed(zoo, qtbot, 1)
    assert len(labels_of(zoo.viewer)) == 1


def test_the_question_whether_to_start_comes_into_sight(
    open_zoo: OpenZoo, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("napari_hmz.weight.LARGE_VOXELS", 10)
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    zoo.dock.setMaximumHeight(300)
    zoo.dock.window().show()
    zoo.page.desk.run_button.click()
    start = zoo.page.desk.start_button

    def in_sight() -> bool:
        return bool(start.visibleRegion().boundingRect() == start.rect())

    qtbot.waitUntil(in_sight, timeout=WAIT_MS)
    bar = zoo.page._scroll.verticalScrollBar()
    before = bar.value()
    zoo.page._content.layout().insertSpacing(0, 400)  # the page grows above it
    qtbot.waitUntil(lambda: bar.value() > before and in_sight(), timeout=WAIT_MS)


def test_a_refused_preview_says_why(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    zoo = open_zoo(FakeClient([make_card()], refuse=QuotaExceeded("It is full.")))
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.preview_button.click()
    qtbot.waitUntil(lambda: "It is full." in zoo.page.status.message, timeout=WAIT_MS)
    qtbot.waitUntil(zoo.page.desk.preview_button.isEnabled, timeout=WAIT_MS)


def test_a_preview_that_is_overtaken_gives_way(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    gate = threading.Semaphore(0)
    zoo = open_zoo(FakeClient([make_card()], gate=gate))
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.preview_button.click()
    qtbot.waitUntil(lambda: len(zoo.client.runs_started) == 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(labels_of(zoo.viewer)) == 1, timeout=WAIT_MS)
    zoo.page.form._rows["threshold"].view._box.value = 80
    qtbot.waitUntil(lambda: len(zoo.client.runs_started) == 2, timeout=WAIT_MS)
    gate.release(9)
    qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
    assert zoo.client.runs_started[0].cancelled.is_set()
    (layer,) = labels_of(zoo.viewer)
    np.testing.assert_array_equal(layer.data, IMAGE > 80)
