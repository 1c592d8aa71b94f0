"""The header: which backend, how it stands, starting this machine's own, and its log."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.dock import ModelZoo
from hmz_widgets.log_view import LogView
from napari_hmz.errors import BackendUnreachable, LocalBackendStopped
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
TEXT = '[profiles.desy]\nurl = "https://hmz.desy.de"\n[profiles.gone]\nurl = "https://gone"\n'


class Backends:
    """This machine's own, which must be started, one that answers, and one that does not."""

    def __init__(self, make_card: MakeCard) -> None:
        self.running = False
        self.asked: list[tuple[str | None, bool]] = []
        self.own = FakeClient([make_card()])
        self.desy = FakeClient([make_card(id="x", name="X"), make_card(id="y", name="Y")])

    def __call__(self, profile: str | None, /, *, start: bool) -> FakeClient:
        self.asked.append((profile, start))
        if profile == "gone":
            raise BackendUnreachable("Nobody answers.", request_id="r-3")
        if profile == "desy":
            return self.desy
        self.running |= start
        if not self.running:
            raise LocalBackendStopped("It does not run.")
        return self.own


@pytest.fixture
def backends(make_card: MakeCard) -> Backends:
    return Backends(make_card)


@pytest.fixture
def dock(
    backends: Backends,
    make_napari_viewer_proxy: Untyped,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ModelZoo:
    for name in ("HMZ_URL", "HMZ_TOKEN", "HMZ_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))
    monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "client.toml").write_text(TEXT)
    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=backends)
    viewer.window.add_dock_widget(dock)
    return dock


def test_this_machine_is_started_with_one_click(
    dock: ModelZoo, backends: Backends, qtbot: QtBot
) -> None:
    header = dock.header
    qtbot.waitUntil(lambda: header.state == "Not started")
    assert not header.start_button.isHidden()
    assert not backends.running, "opening the dock starts nothing"
    header.start_button.click()
    qtbot.waitUntil(lambda: header.state == "Running")
    assert header.start_button.isHidden()
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    assert not dock.model_page.status.message


def test_another_backend_brings_its_own_models(
    dock: ModelZoo, backends: Backends, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: dock.header.state == "Not started")
    dock.header.choice.setCurrentText("desy")
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    assert dock.header.state == "Connected"
    assert dock.header.log_button.isHidden()
    card = dock.model_page.models.card()
    assert card is not None
    assert card.id == "x"
    dock.header.choice.setCurrentText("This machine")
    qtbot.waitUntil(lambda: dock.header.state == "Not started")
    assert dock.backend.client is None
    assert not backends.desy.closed, "a run may still send its image there"


def test_a_backend_that_does_not_answer_is_said_with_the_request(
    dock: ModelZoo, qtbot: QtBot
) -> None:
    dock.header.choice.setCurrentText("gone")
    qtbot.waitUntil(lambda: dock.header.state == "Not connected")
    assert dock.header.start_button.isHidden()
    assert "r-3" in dock.model_page.status.message


def test_the_log_is_shown_as_it_grows(dock: ModelZoo, tmp_path: Path, qtbot: QtBot) -> None:
    log = tmp_path / "state" / "backend-embedded" / "backend.log"
    dock.header.log_button.click()
    view = dock.header.native.findChild(LogView)
    qtbot.waitUntil(lambda: view.text.toPlainText() == "There is no log yet.")
    log.parent.mkdir(parents=True)
    log.write_text("it listens")
    qtbot.waitUntil(lambda: view.text.toPlainText() == "it listens")
    view.close()
    qtbot.waitUntil(lambda: dock.header.native.findChild(LogView) is None)


def test_the_main_thread_reads_no_log(
    dock: ModelZoo, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    threads: set[threading.Thread] = set()

    def noted(log: Path) -> str:
        threads.add(threading.current_thread())
        return "read"

    monkeypatch.setattr("hmz_widgets.log_view.tail", noted)
    dock.header.show_log()
    view = dock.header.native.findChild(LogView)
    qtbot.waitUntil(lambda: view.text.toPlainText() == "read")
    assert threading.main_thread() not in threads
    view.close()
    qtbot.waitUntil(lambda: dock.header.native.findChild(LogView) is None)
