"""napari's preferences for this plugin: what the manifest declares is what takes effect."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import napari.settings
import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot

import napari_hmz
from hmz_widgets import service
from hmz_widgets.dock import ModelZoo
from hmz_widgets.header import WORDS
from hmz_widgets.preferences import PLUGIN, preferences
from napari_hmz.errors import LocalBackendStopped
from napari_hmz.preferences import Preferences
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture
def kept(plugin_settings: None, npe2pm: PluginManager) -> Untyped:
    """The preferences as napari's dialog sets them, in a folder of the test."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return napari.settings.get_plugin_settings(PLUGIN)


def test_the_manifest_declares_what_there_is_with_the_same_defaults() -> None:
    sections = PluginManifest.from_file(MANIFEST).contributions.configurations
    declared = {
        name: found.default
        for section in sections.values()
        for name, found in section.properties.items()
    }
    assert declared == asdict(Preferences())
    told = [p for section in sections.values() for p in section.properties.values()]
    assert all(found.title and found.description for found in told)


def test_no_secret_can_be_set_there() -> None:
    assert not {"token", "password", "secret"} & set(asdict(Preferences()))


def test_what_is_set_is_read_at_once_and_written_by_napari(kept: Untyped) -> None:
    assert preferences() == Preferences()
    kept.backend.profile, kept.transfer.connections = "desy", 4
    assert preferences() == Preferences(profile="desy", connections=4)
    assert "profile: desy" in kept.config_path.read_text()


def test_without_the_plugin_or_with_an_older_napari_the_defaults_hold(
    plugin_settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preferences() == Preferences()
    monkeypatch.delattr(napari.settings, "get_plugin_settings")
    assert preferences() == Preferences()


def test_the_client_gets_what_is_set(kept: Untyped, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr("napari_hmz.client.connect", lambda **arguments: given.update(arguments))
    kept.backend.url, kept.transfer.connections = "https://mine", 4
    service.connect(None, start=False)
    assert given["url"] == "https://mine"
    assert given["connections"] == 4
    assert service.known_backends().first == service.OF_SETTINGS


@pytest.fixture
def desy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings file that names another backend."""
    (tmp_path / "client.toml").write_text('profile="desy"\n[profiles.desy]\nurl = "https://desy"\n')
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))


@pytest.mark.gui
@pytest.mark.usefixtures("desy")
def test_the_dock_begins_as_it_is_preferred(
    kept: Untyped,
    make_napari_viewer_proxy: Untyped,
    make_card: MakeCard,
    qtbot: QtBot,
) -> None:
    kept.backend.profile, kept.backend.start = "local", True
    kept.results.folder, kept.results.preview_again = "/results", False
    asked: list[bool] = []

    def connect(profile: str | None, /, *, start: bool) -> FakeClient:
        asked.append(start)
        if not start:
            raise LocalBackendStopped("It does not run.")
        return FakeClient([make_card()])

    viewer = make_napari_viewer_proxy()
    viewer.add_image(np.zeros((20, 20), np.uint8))
    dock = ModelZoo(viewer, connect=connect)
    viewer.window.add_dock_widget(dock)
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    assert asked == [True]
    assert dock.header.choice.currentText() == WORDS["local"]
    desk = dock.model_page.desk
    assert not desk.live.isChecked()
    desk.output.stored.setChecked(True)
    desk.output.path.setText("labels.zarr")
    assert desk.output.output() == Path("/results/labels.zarr")
