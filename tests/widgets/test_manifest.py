"""napari accepts the manifest, and finds behind it what it promises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot

import napari_hmz
from hmz_widgets import service
from hmz_widgets.dock import ModelZoo
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

PATH = Path(napari_hmz.__file__).parent / "napari.yaml"
TOP = Path(__file__).parents[2] / "napari.yaml"
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture
def manifest(npe2pm: PluginManager) -> Untyped:
    manifest = PluginManifest.from_file(PATH)
    npe2pm.register(manifest)
    return manifest


def test_the_manifest_is_valid_and_its_names_can_be_imported(manifest: Untyped) -> None:
    manifest.validate_imports()
    assert manifest.name == "napari-hmz"


def test_the_manifest_at_the_top_is_a_link() -> None:
    assert TOP.is_symlink()
    assert TOP.resolve() == PATH.resolve()


def test_the_installed_package_brings_the_manifest() -> None:
    assert PluginManifest.from_distribution("napari-hmz").display_name == "Helmholtz Model Zoo"


@pytest.mark.gui
def test_napari_opens_the_dock_and_the_sample(
    manifest: Untyped,
    make_napari_viewer: Untyped,
    make_card: Callable[..., ModelCard],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(ModelZoo.__init__, "__kwdefaults__", _faked(make_card))
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    assert isinstance(dock, ModelZoo)
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    viewer.open_sample("napari-hmz", "nuclei")
    (layer,) = viewer.layers
    assert layer.data.shape == (60, 256, 256)
    assert layer.data.dtype == np.uint16
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert layer.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(layer.scale, [0.29, 0.26, 0.26], atol=0.01)
    assert dock.model_page.image.layer() == layer
    assert dock.model_page.desk.run_button.isEnabled()


def _faked(make_card: Callable[..., ModelCard]) -> dict[str, object]:
    client = FakeClient([make_card()])
    own = ModelZoo.__init__.__kwdefaults__ or {}
    return own | {"connect": lambda *_, **__: client, "open_picture": service.open_picture}
