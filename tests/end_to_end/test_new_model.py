"""A model package that is dropped into the zoo while napari runs: it appears, form and all."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot
from typer.testing import CliRunner

import napari_hmz
from hmz_backend.testing.packages import TinyPackage
from napari_hmz.cli import app
from napari_hmz.testing.backend_process import BackendProcess, free_port

pytestmark = [pytest.mark.gui, pytest.mark.slow]
MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
WAIT_MS = 120_000
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "count": {"type": "integer", "default": 5000, "minimum": 0, "maximum": 100000},
    "shift": {"type": "number", "default": -2.5, "minimum": -10, "maximum": 10, "unit": "µm"},
    "rate": {"type": "number", "default": 1e-6, "minimum": 1e-9, "maximum": 1, "scale": "log"},
    "smooth": {"type": "boolean", "default": True},
    "limit": {"type": "number", "default": None, "optional": True, "minimum": 0},
    "name": {"type": "string", "default": "cells"},
    "way": {
        "type": "string",
        "default": "fast",
        "choices": [{"value": "fast", "label": "Fast"}, {"value": "good", "label": "Good"}],
    },
    "band": {"type": "range", "default": [1, 99], "minimum": 0, "maximum": 100},
    "hidden": {"type": "integer", "default": 1, "visible_when": {"smooth": False}},
    "late": {"type": "integer", "default": 7, "advanced": True},
    "new kind": {"type": "of-tomorrow", "default": "x"},
}
STARTS = {
    "count": 5000, "shift": -2.5, "rate": 1e-6, "smooth": True, "limit": None, "name": "cells",
    "way": "fast", "band": (1.0, 99.0), "hidden": 1, "late": 7, "new kind": "x",
}  # fmt: skip # one line of values


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    folder.mkdir()
    return folder


@pytest.fixture
def watching(tmp_path: Path, zoo: Path) -> Iterator[BackendProcess]:
    """A backend that serves what lies in the zoo."""
    models = {"HMZ_BACKEND_MODELS": json.dumps([str(zoo)])}
    backend = BackendProcess(tmp_path / "backend", free_port(), variables=models)
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def settings(
    watching: BackendProcess, state: Path, monkeypatch: pytest.MonkeyPatch
) -> BackendProcess:
    """Settings that name the backend."""
    monkeypatch.setenv("HMZ_URL", watching.url)
    monkeypatch.setenv("HMZ_TOKEN", str(watching.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(state))
    return watching


@pytest.fixture
def page(
    settings: BackendProcess,
    npe2pm: PluginManager,
    make_napari_viewer: Untyped,
    qtbot: QtBot,
) -> Untyped:
    """The page where a model is run, in a napari that runs already."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    viewer.add_image(np.arange(64 * 64, dtype=np.float32).reshape(64, 64), name="ramp")
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    page = dock.model_page
    qtbot.waitUntil(lambda: page.models.card() is not None, timeout=WAIT_MS)
    return page


def listed(page: Untyped) -> set[str]:
    return {card.id for card in page.models.chosen.cards()}


def refreshed(page: Untyped, qtbot: QtBot) -> None:
    button = page.models.catalogue.refresh_button
    qtbot.waitUntil(button.isEnabled, timeout=WAIT_MS)
    button.click()
    assert not button.isEnabled()
    qtbot.waitUntil(button.isEnabled, timeout=WAIT_MS)


def drop(zoo: Path, elsewhere: Path) -> None:
    hmz = {
        "task": "restoration",
        "parameters": PARAMETERS,
        "outputs": {"result": {"kind": "image"}},
    }
    made = TinyPackage(id="new-model", axes="cyx", hmz=hmz).write(elsewhere / "new-model")
    shutil.copytree(made, zoo / "new-model")


def test_a_package_dropped_into_the_zoo_appears_with_a_right_form_and_runs(
    page: Untyped, zoo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    assert "new-model" not in listed(page)
    drop(zoo, tmp_path)
    page.models.chosen.face.click()
    refreshed(page, qtbot)
    assert "new-model" in listed(page)
    catalogue = page.models.catalogue
    catalogue.search.line.setText("tiny new")
    catalogue.search.entered.emit()
    assert page.models.card().id == "new-model"
    assert page.form.values() == STARTS
    assert page.form.faults() == {}
    assert page.desk.run_button.isEnabled()
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: page.status.line == "Done.", timeout=WAIT_MS)
    assert not page.status.message
    image, result = page._viewer.layers
    np.testing.assert_array_equal(np.squeeze(result.data), image.data)


def listed_in_a_shell() -> set[str]:
    told = CliRunner().invoke(app, ["models", "--json"])
    assert told.exit_code == 0, told.output
    return {card["id"] for card in json.loads(told.stdout)}


@pytest.mark.usefixtures("settings")
def test_a_shell_lists_a_package_as_soon_as_it_is_dropped(zoo: Path, tmp_path: Path) -> None:
    assert "new-model" not in listed_in_a_shell()
    drop(zoo, tmp_path)
    assert "new-model" in listed_in_a_shell()
    shutil.rmtree(zoo / "new-model")
    assert "new-model" not in listed_in_a_shell()


def test_a_package_that_is_still_being_copied_appears_once_it_is_whole(
    page: Untyped, zoo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    drop(zoo, tmp_path)
    (zoo / "new-model" / "weights.onnx").rename(tmp_path / "weights.onnx")
    refreshed(page, qtbot)
    assert "new-model" not in listed(page)
    (tmp_path / "weights.onnx").rename(zoo / "new-model" / "weights.onnx")
    refreshed(page, qtbot)
    assert "new-model" in listed(page)


def test_a_package_that_is_taken_away_is_not_offered_any_more(
    page: Untyped, zoo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    drop(zoo, tmp_path)
    refreshed(page, qtbot)
    page.models.choose("new-model")
    shutil.rmtree(zoo / "new-model")
    refreshed(page, qtbot)
    assert "new-model" not in listed(page)
    assert page.models.card().id != "new-model"
