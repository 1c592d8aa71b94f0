"""The dock with a fake client in a real viewer: finding the backend, and closing."""

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.dock import ModelZoo
from hmz_widgets.layers import Picture
from napari_hmz.errors import BackendUnreachable
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)


def test_closing_the_viewer_leaves_the_run_going(
    start_run: Callable[..., Untyped], qtbot: QtBot
) -> None:
    zoo = start_run(IMAGE)
    client = zoo.client
    zoo.viewer.close()
    qtbot.waitUntil(lambda: client.closed)
    assert not client.runs_started[0].cancelled.is_set()
    client.gate.release(8)


def test_no_backend_is_said_and_can_be_tried_again(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    answers = [BackendUnreachable("Nobody answers.")]

    def connect(profile: str | None, /, *, start: bool) -> FakeClient:
        if answers:
            raise answers.pop()
        return FakeClient([make_card()])

    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=connect)
    viewer.window.add_dock_widget(dock)
    page = dock.model_page
    qtbot.waitUntil(lambda: "Nobody answers." in page.status.message)
    assert not page.desk.run_button.isEnabled()
    qtbot.waitUntil(page.models.chosen.button.isEnabled)
    page.models.chosen.button.click()
    qtbot.waitUntil(lambda: page.models.card() is not None)
    assert not page.status.message


def test_the_main_thread_neither_connects_nor_reads(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    threads: dict[str, threading.Thread] = {}

    class Watched(FakeClient):
        def models(self, *_: str | None, fresh: bool = False) -> tuple[ModelCard, ...]:
            threads["models"] = threading.current_thread()
            return super().models()

    def connect(profile: str | None, /, *, start: bool) -> FakeClient:
        threads["connect"] = threading.current_thread()
        return Watched([make_card()])

    def open_picture(image: Picture, dtypes: tuple[str, ...], /) -> FakeSource:
        threads["open"] = threading.current_thread()
        return FakeSource(image.data, image.axes)

    viewer = make_napari_viewer_proxy()
    viewer.add_image(IMAGE)
    dock = ModelZoo(viewer, connect=connect, open_picture=open_picture)
    viewer.window.add_dock_widget(dock)
    page = dock.model_page
    qtbot.waitUntil(page.desk.run_button.isEnabled)
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: not page.running and not dock.bridge.busy)
    assert set(threads) == {"connect", "models", "open"}
    assert threading.main_thread() not in threads.values()


LEAVING = """
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from hmz_widgets.dock import ModelZoo

app = QApplication([])
zoo = ModelZoo(ViewerModel())
app.processEvents()
"""


def test_a_script_may_end_with_the_dock_open() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LEAVING], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
