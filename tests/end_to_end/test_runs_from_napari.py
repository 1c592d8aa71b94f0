"""A run outlives napari: the viewer is closed in the middle, and another one takes the run up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot

import napari_hmz
from napari_hmz.client import Client
from napari_hmz.run import Run
from napari_hmz.sources import open_source
from napari_hmz.testing.backend_process import BackendProcess

pytestmark = [pytest.mark.gui, pytest.mark.slow]
MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
MODEL = "nuclei-2d"
"""Works plane by plane, so that there is a middle."""
RUN_MS = 240_000
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture(autouse=True)
def plugin(
    backend: BackendProcess, state: Path, npe2pm: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin, with settings that name the backend."""
    monkeypatch.setenv("HMZ_URL", backend.url)
    monkeypatch.setenv("HMZ_TOKEN", str(backend.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(state))
    npe2pm.register(PluginManifest.from_file(MANIFEST))


def dock_of(viewer: Untyped) -> Untyped:
    """Open the dock, on show: its list is asked for only while somebody looks."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    dock.window().show()
    return dock


def begin(viewer: Untyped, client: Client, qtbot: QtBot) -> str:
    """Start a run from the dock, and return its id once its image is sent and a part is done."""
    known = {run.id for run in client.runs()}
    viewer.open_sample("napari-hmz", "nuclei")
    page = dock_of(viewer).model_page
    qtbot.waitUntil(lambda: page.models.card() is not None, timeout=RUN_MS)
    page.models.choose(MODEL)
    qtbot.waitUntil(page.desk.run_button.isEnabled, timeout=RUN_MS)
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: "of 60 blocks" in page.status.line, timeout=RUN_MS)
    (run,) = (run for run in client.runs() if run.id not in known)
    qtbot.waitUntil(lambda: is_sent(client, run.id), timeout=RUN_MS)
    return run.id


def is_sent(client: Client, run_id: str) -> bool:
    progress = client.info(run_id).progress
    return 0 < progress.chunks_needed == progress.chunks_held


def again(client: Client, run_id: str, image: Untyped) -> Run:
    """Start the same run from Python."""
    asked = client.info(run_id).request
    source = open_source(
        image.data,
        axes=("z", "y", "x"),
        voxel_size=dict(zip(("z", "y", "x"), map(float, image.scale), strict=True)),
        units=dict.fromkeys(("z", "y", "x"), "micrometer"),
    )
    return client.run(MODEL, source, parameters=asked.parameters, join_planes=asked.join_planes)


def test_a_run_is_taken_up_after_napari_was_closed(
    make_napari_viewer: Untyped, client: Client, qtbot: QtBot
) -> None:
    first = make_napari_viewer()
    run_id = begin(first, client, qtbot)
    first.close()

    viewer = make_napari_viewer()
    viewer.open_sample("napari-hmz", "nuclei")
    dock = dock_of(viewer)
    page = dock.runs_page
    dock.tabs.setCurrentWidget(page.native)
    qtbot.waitUntil(lambda: page.table.place_of(run_id) is not None, timeout=RUN_MS)
    page.choose(run_id)
    assert page.chosen().started_by == "napari"
    page.actions.open.trigger()
    qtbot.waitUntil(lambda: not page.followed.is_following(run_id), timeout=RUN_MS)

    assert page.followed.status(run_id).message == ""
    image, labels = viewer.layers
    np.testing.assert_allclose(labels.scale, image.scale)
    assert labels.metadata["hmz"]["run"] == run_id
    undisturbed = again(client, run_id, image)
    ended = undisturbed.wait(RUN_MS / 1000)
    np.testing.assert_array_equal(labels.data, np.asarray(undisturbed.array()[...]))
    assert client.info(run_id).results == ended.results
    assert labels.data.max() == ended.results[0].objects
