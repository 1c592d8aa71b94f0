"""A form remembers what was last set in it, from one napari to the next, and can be reset."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_hmz.form import remembered_values
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
BACKEND = "local embedded"


def threshold(zoo: Untyped) -> float:
    return float(zoo.page.form.values()["threshold"])


def test_what_was_set_is_there_the_next_time(
    open_zoo: OpenZoo, make_card: MakeCard, state: Path, qtbot: QtBot
) -> None:
    remembered_values(state, BACKEND).put(make_card(), {"threshold": 70.0})
    zoo = open_zoo()
    qtbot.waitUntil(lambda: threshold(zoo) == 70.0)
    zoo.page.form._rows["threshold"].view._box.value = 20
    qtbot.waitUntil(
        lambda: remembered_values(state, BACKEND).values(make_card())["threshold"] == 20.0
    )
    zoo.page.form.reset()
    assert threshold(zoo) == 50.0
    qtbot.waitUntil(
        lambda: remembered_values(state, BACKEND).values(make_card())["threshold"] == 50.0
    )


def test_choosing_another_model_keeps_what_was_just_set(
    open_zoo: OpenZoo, make_card: MakeCard, state: Path, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient([make_card(), make_card(id="other", name="Other")]))
    zoo.page.models.choose("threshold")
    qtbot.waitUntil(lambda: not zoo.dock.bridge.busy)
    zoo.page.form._rows["threshold"].view._box.value = 20
    zoo.page.models.choose("other")
    assert threshold(zoo) == 50.0
    zoo.page.models.choose("threshold")
    qtbot.waitUntil(lambda: threshold(zoo) == 20.0)


def test_a_click_fills_in_what_the_voxel_size_tells(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    spec = {
        "type": "number",
        "default": 50,
        "minimum": 0,
        "maximum": 100,
        "physical": {"of": "cells", "typical_um": 10, "smallest_um": 4, "largest_um": 30},
    }
    zoo = open_zoo(FakeClient([make_card(parameters={"threshold": spec})]))
    zoo.viewer.add_image(np.zeros((20, 20), np.uint8), scale=(0.5, 0.5), units=("um", "um"))
    (button,) = zoo.page.image._voxels._buttons
    button.click()
    assert threshold(zoo) == 20.0


def test_the_chosen_channel_is_asked_for(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(np.zeros((3, 20, 20), np.uint8), axis_labels=("c", "y", "x"))
    zoo.page.image._channels._combos[0].native.setCurrentIndex(3)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(zoo.client.runs_started) and not zoo.dock.bridge.busy)
    assert zoo.client.runs_started[0].channels == (2,)
