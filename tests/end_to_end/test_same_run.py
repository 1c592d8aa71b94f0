"""One request from the dock, from Python and from a shell: the same results, to the last byte."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr
from npe2 import PluginManager, PluginManifest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

import napari_hmz
from napari_hmz.client import Client
from napari_hmz.testing.backend_process import BackendProcess

pytestmark = [pytest.mark.gui, pytest.mark.slow]
MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
RUN_MS = 120_000
CALL_S = 300
THRESHOLD = 36_000.0
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture
def variables(
    backend: BackendProcess, state: Path, npe2pm: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The plugin, and settings that name the backend: here and in other processes."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    named = {"HMZ_URL": backend.url, "HMZ_TOKEN": backend.token, "HMZ_STATE_DIR": str(state)}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return {**os.environ}


@pytest.fixture
def zoo(variables: dict[str, str], make_napari_viewer: Untyped, qtbot: QtBot) -> Untyped:
    """The dock, on show, in a viewer of its own."""
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    dock.window().show()
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None, timeout=RUN_MS)
    return dock


def run_from_dock(zoo: Untyped, layer: Untyped, qtbot: QtBot) -> None:
    page = zoo.model_page
    page.models.choose("components")
    page.image.choose(layer)
    page.form.show({"threshold": THRESHOLD, "connectivity": "corners"})
    qtbot.waitUntil(page.desk.run_button.isEnabled, timeout=RUN_MS)
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: page.status.line.startswith("Done"), timeout=RUN_MS)


def copied(zoo: Untyped, run: str, as_what: str, qtbot: QtBot) -> str:
    """Return what the list of runs puts into the clipboard for a run."""
    page, clipboard = zoo.runs_page, QApplication.clipboard()
    clipboard.clear()
    zoo.tabs.setCurrentWidget(page.native)
    qtbot.waitUntil(lambda: page.table.place_of(run) is not None, timeout=RUN_MS)
    page.choose(run)
    getattr(page.actions, as_what).trigger()
    qtbot.waitUntil(lambda: bool(clipboard.text()), timeout=RUN_MS)
    return str(clipboard.text())


def test_dock_python_and_shell_give_equal_digests(
    *,
    zoo: Untyped,
    client: Client,
    blobs: Callable[..., NDArray[Any]],
    zarr_of: Callable[..., Path],
    variables: dict[str, str],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    def call(*words: str) -> None:
        done = subprocess.run(
            words, capture_output=True, check=False, cwd=tmp_path, env=variables, text=True,
            timeout=CALL_S,
        )  # fmt: skip # what is called stands alone
        assert done.returncode == 0, done.stderr

    known = {run.id for run in client.runs()}
    image = zarr.open_array(zarr_of(blobs()), mode="r")
    layer = zoo.model_page._viewer.add_image(
        image, name="blobs", scale=(0.5, 0.25, 0.25), units="um", axis_labels=("z", "y", "x")
    )
    run_from_dock(zoo, layer, qtbot)
    (first,) = (run for run in client.runs() if run.id not in known)

    program, *command = shlex.split(copied(zoo, first.id, "shell", qtbot))
    assert program == "hmz"
    call(sys.executable, "-m", "napari_hmz.cli", *command)
    (tmp_path / "components.ome.zarr").rename(tmp_path / "shell.ome.zarr")
    call(sys.executable, "-c", copied(zoo, first.id, "python", qtbot))
    assert (tmp_path / "components.ome.zarr").is_dir()

    python, shell, dock = (client.info(run.id) for run in client.runs() if run.id not in known)
    assert [run.request.started_by for run in (dock, shell, python)] == ["plugin", "shell", "api"]
    (result,) = dock.results
    assert result.digest
    assert result.objects
    assert python.results == shell.results == dock.results
    assert python.provenance.parameters == shell.provenance.parameters == dock.provenance.parameters
