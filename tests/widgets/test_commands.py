"""The commands of the palette, run through napari's own command registry."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.utils.notifications import notification_manager
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot

import napari_hmz
from hmz_widgets.dock import ModelZoo
from hmz_widgets.log_view import LogView
from napari_hmz.errors import LocalBackendStopped
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MANIFEST = PluginManifest.from_file(Path(napari_hmz.__file__).parent / "napari.yaml")
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
MakeCard = Callable[..., ModelCard]
OpenZoo = Callable[..., Any]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def registered(npe2pm: PluginManager) -> None:
    npe2pm.register(MANIFEST)


def command(name: str) -> None:
    """Choose a command in the palette."""
    get_app_model().commands.execute_command(f"napari-hmz.{name}").result()


def notice() -> str:
    """Return what napari has told last."""
    return str(notification_manager.records[-1].message)


def test_every_command_is_in_the_palette(make_napari_viewer: Untyped) -> None:
    make_napari_viewer()
    offered = get_app_model().commands
    assert all(command.id in offered for command in MANIFEST.contributions.commands or ())


def test_a_command_opens_the_dock_once(
    make_napari_viewer: Untyped,
    make_card: MakeCard,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    client = FakeClient([make_card()])
    own = ModelZoo.__init__.__kwdefaults__ or {}
    faked = own | {"connect": lambda *_, **__: client}
    monkeypatch.setattr(ModelZoo.__init__, "__kwdefaults__", faked)
    viewer = make_napari_viewer()
    command("runs")
    (dock,) = viewer.window.dock_widgets.values()
    assert dock.tabs.currentWidget() is dock.runs_page.native
    command("choose_model")
    assert list(viewer.window.dock_widgets.values()) == [dock]
    assert dock.tabs.currentWidget() is dock.model_page.native
    assert dock.model_page.native.currentWidget() is dock.model_page.models.catalogue.native
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)


def test_a_dock_that_was_hidden_comes_to_the_front(open_zoo: OpenZoo) -> None:
    dock = open_zoo().dock
    dock.parentWidget().hide()
    command("runs")
    assert not dock.parentWidget().isHidden()


def test_preview_run_and_cancel(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    client = FakeClient([make_card()], gate=threading.Semaphore(0))
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    command("preview")
    qtbot.waitUntil(lambda: len(client.runs_started) == 1)
    command("run")
    qtbot.waitUntil(lambda: len(client.runs_started) == 2 and zoo.page.running)
    command("cancel")
    qtbot.waitUntil(lambda: not zoo.page.running)
    assert client.runs_started[1].cancelled.is_set()
    command("cancel")
    assert "Nothing is running" in notice()


def test_what_cannot_be_done_says_why(open_zoo: OpenZoo) -> None:
    zoo = open_zoo()
    command("run")
    assert notice() == zoo.page.hindrance() != ""
    assert not zoo.client.runs_started


def test_refreshing_brings_new_models(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    zoo = open_zoo()
    zoo.client.cards = [make_card(), make_card(id="new", name="New")]
    command("refresh_models")
    qtbot.waitUntil(lambda: len(zoo.page.models.chosen.cards()) == 2)


def test_the_backend_of_this_machine_is_started_whatever_was_chosen(
    make_napari_viewer_proxy: Untyped,
    make_card: MakeCard,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    (tmp_path / "none.toml").write_text('profile = "kit"\n[profiles.kit]\nurl = "https://kit"\n')
    asked: list[tuple[str | None, bool]] = []

    def connect(profile: str | None, /, *, start: bool) -> FakeClient:
        asked.append((profile, start))
        if profile == "local" and not start:
            raise LocalBackendStopped("It does not run.")
        return FakeClient([make_card()])

    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=connect)
    viewer.window.add_dock_widget(dock)
    qtbot.waitUntil(lambda: dock.header.state == "Connected")
    command("start_backend")
    qtbot.waitUntil(lambda: dock.header.state == "Running")
    assert ("local", True) in asked
    assert not dock.model_page.status.message
    command("log")
    dock.header.native.findChild(LogView).close()
