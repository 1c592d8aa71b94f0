"""Opening the dock, running and closing the viewer again and again leaves nothing behind."""

import gc
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from hmz_widgets.dock import ModelZoo
from napari_hmz.client import Client, connect
from napari_hmz.testing.backend_process import BackendProcess, free_port

OpenZoo = Callable[..., Any]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
RUN_MS = 120_000

TIMES = 5
PROCESS = Path("/proc/self")
NAPARI = str(Path(napari.__file__).parent)
NOISE = np.random.default_rng(1).integers(0, 60_000, (128, 160)).astype(np.uint16)
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)

pytestmark = pytest.mark.gui


def held() -> dict[str, int]:
    """Return how many widgets, threads and files this process holds.

    Threads of Qt's pool, which come and go by themselves, are dummies to Python and not counted.
    """
    return {
        "widgets": len(QApplication.allWidgets()),
        "threads": sum(not thread.name.startswith("Dummy") for thread in threading.enumerate()),
        "files": len(files()),
    }


def files() -> list[str]:
    """Return what is open, but for napari's own: PySide6 keeps the film in its activity dock.

    Each thread of Qt's pool has an event descriptor for as long as it lives, up to half a minute.
    """
    found = [os.path.realpath(link) for link in PROCESS.joinpath("fd").iterdir()]
    return [path for path in found if not path.startswith(NAPARI) and "[eventfd]" not in path]


def settled(most: dict[str, int] | None = None) -> dict[str, int]:
    """Wait until no more is held than `most`, for a while at the longest, and return what is."""
    deadline = time.monotonic() + 20.0
    while True:
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        found = held()
        if most is None or time.monotonic() > deadline:
            return found
        if all(found[kind] <= most[kind] for kind in found):
            return found
        time.sleep(0.1)  # a worker's thread ends a little after its last signal


def use(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    """Open a dock, look at all its parts, run, and close the viewer."""
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    zoo.page.models.browse()
    zoo.dock.show_page(zoo.dock.runs_page)
    zoo.dock.show_page(zoo.page)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(zoo.client.runs_started) and not zoo.page.running)
    zoo.viewer.close()
    qtbot.waitUntil(lambda: bool(zoo.client.closed))


def check(use_it: Callable[[], None], times: int) -> None:
    """Use it once, and then again and again: no more may be held than after the first time."""
    use_it()  # what napari and Qt keep for good is made now
    before = settled()
    for _ in range(times):
        use_it()
    after = settled(before)
    assert all(after[kind] <= before[kind] for kind in before), (before, after)


def test_nothing_grows_with_the_number_of_docks(open_zoo: OpenZoo, qtbot: QtBot) -> None:
    check(partial(use, open_zoo, qtbot), TIMES)


@pytest.mark.slow
def test_nothing_grows_with_the_number_of_runs_on_a_real_backend(
    make_napari_viewer_proxy: Untyped, qtbot: QtBot, tmp_path: Path
) -> None:
    backend = BackendProcess(tmp_path / "backend", free_port())
    backend.start()

    def join(_profile: str | None, /, *, start: bool) -> Client:  # as the dock asks
        return connect(backend.url, backend.token, state_dir=tmp_path / "state")

    def use_it() -> None:
        viewer = make_napari_viewer_proxy()
        viewer.add_image(NOISE)
        dock = ModelZoo(viewer, connect=join)
        viewer.window.add_dock_widget(dock)
        page = dock.model_page
        qtbot.waitUntil(lambda: page.models.card() is not None, timeout=RUN_MS)
        page.models.choose("components-2d")
        page.desk.preview_button.click()
        qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=RUN_MS)
        qtbot.waitUntil(page.desk.run_button.isEnabled, timeout=RUN_MS)
        page.desk.run_button.click()
        qtbot.waitUntil(lambda: "Done" in page.status.line, timeout=RUN_MS)
        viewer.close()
        qtbot.waitUntil(lambda: not dock.bridge.busy, timeout=RUN_MS)

    try:
        check(use_it, 2)
    finally:
        backend.stop()
