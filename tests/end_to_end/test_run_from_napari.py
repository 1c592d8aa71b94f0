"""The plugin as napari loads it, with a real backend, on the sample volume."""

from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
import pytest
from npe2 import PluginManager, PluginManifest
from pytestqt.qtbot import QtBot
from scipy import ndimage

import napari_hmz
from napari_hmz.client import Client
from napari_hmz.testing.backend_process import BackendProcess

pytestmark = [pytest.mark.gui, pytest.mark.slow]
MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
LEVEL = 9000.0
RUN_MS = 120_000
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture
def viewer(
    backend: BackendProcess,
    state: Path,
    npe2pm: PluginManager,
    make_napari_viewer: Untyped,
    monkeypatch: pytest.MonkeyPatch,
) -> Untyped:
    """A viewer with the plugin and the sample, and settings that name the backend."""
    monkeypatch.setenv("HMZ_URL", backend.url)
    monkeypatch.setenv("HMZ_TOKEN", str(backend.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(state))
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    viewer.open_sample("napari-hmz", "nuclei")
    return viewer


def opened(viewer: Untyped, qtbot: QtBot, model: str) -> Untyped:
    """Open the dock, and return its page where a model is run, with a model chosen."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    page = dock.model_page
    qtbot.waitUntil(lambda: page.models.card() is not None, timeout=RUN_MS)
    page.models.choose(model)
    assert page.desk.run_button.isEnabled()
    return page


def test_components_from_the_dock_are_those_of_the_whole(viewer: Untyped, qtbot: QtBot) -> None:
    page = opened(viewer, qtbot, "components")
    page.form.show({"threshold": LEVEL})
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(page.desk.run_button.isEnabled()), timeout=RUN_MS)
    assert not page.status.message
    image, labels = viewer.layers
    assert page.form.values()["connectivity"] == "faces"
    expected, count = ndimage.label(image.data > LEVEL)
    np.testing.assert_array_equal(labels.data, expected)
    assert page.status.line == f"Done: {count} objects."
    np.testing.assert_allclose(labels.scale, image.scale)
    assert labels.units == image.units
    assert labels.axis_labels == ("z", "y", "x")
    provenance = labels.metadata["hmz"]
    assert (provenance["model"], provenance["parameters"]["threshold"]) == ("components", LEVEL)


def test_a_second_preview_with_other_parameters_sends_nothing(
    viewer: Untyped, qtbot: QtBot
) -> None:
    page = opened(viewer, qtbot, "components")
    values = np.random.default_rng(3).integers(0, 60_000, (8, 96, 96)).astype(np.uint16)
    page.image.choose(viewer.add_image(values, name="noise"))
    page.form.show({"threshold": 40_000.0})
    page.desk.preview_button.click()
    preview = page.desk._preview
    qtbot.waitUntil(lambda: preview.is_shown and not preview.is_going, timeout=RUN_MS)
    first = preview._shown
    assert first._handle.transfer.bytes_up > 0
    page.form.show({"threshold": 50_000.0})
    page.desk.parameters_changed()
    qtbot.waitUntil(lambda: preview._shown is not first and not preview.is_going, timeout=RUN_MS)
    assert preview._shown._handle.transfer.bytes_up == 0
    labels = viewer.layers[-1]
    seen = labels.metadata["hmz"]["region"]
    part = values[tuple(slice(*seen[axis]) for axis in ("z", "y", "x"))]
    assert part.shape[0] == 1
    assert part.size < values[0].size, "cut to the window"
    np.testing.assert_array_equal(labels.data, ndimage.label(part > 50_000)[0])


def test_a_restored_image_lies_on_its_image(viewer: Untyped, qtbot: QtBot) -> None:
    page = opened(viewer, qtbot, "denoise")
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(page.desk.run_button.isEnabled()), timeout=RUN_MS)
    assert not page.status.message
    image, restored = viewer.layers
    np.testing.assert_allclose(restored.scale, image.scale)
    low, high = restored.contrast_limits
    assert low < float(np.median(image.data)) < high
    noise = [np.abs(np.diff(layer.data.astype(float), axis=-1)).mean() for layer in viewer.layers]
    assert noise[1] < noise[0]


def test_an_image_that_cannot_be_sent_without_loss_is_refused(
    viewer: Untyped, qtbot: QtBot
) -> None:
    page = opened(viewer, qtbot, "nuclei-2d")
    page.image.choose(viewer.add_image(np.full((64, 64), 1e300), name="doubles"))
    assert "float64" in page._why.text()
    assert not page.desk.run_button.isEnabled()
    assert len(viewer.layers) == 2


def test_a_layer_that_cannot_be_read_says_so(viewer: Untyped, qtbot: QtBot) -> None:
    def block(number: int) -> Untyped:
        if number > 0:  # the plane on show is readable, the others are not
            raise OSError("the disk is gone")
        return np.ones((1, 64, 64), np.uint16)

    planes = [
        dask.array.from_delayed(dask.delayed(block)(number), (1, 64, 64), np.uint16)
        for number in range(4)
    ]
    lazy = viewer.add_image(
        dask.array.concatenate(planes), name="lazy", contrast_limits=(0, 2), visible=False
    )
    page = opened(viewer, qtbot, "components")
    page.image.choose(lazy)
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(page.status.message), timeout=RUN_MS)
    assert "the disk is gone" in page.status.message


def test_closing_the_viewer_leaves_the_run_to_the_backend(
    viewer: Untyped, client: Client, qtbot: QtBot
) -> None:
    page = opened(viewer, qtbot, "nuclei-2d")
    known = {run.id for run in client.runs()}
    page.desk.run_button.click()
    qtbot.waitUntil(lambda: "of 60 blocks" in page.status.line, timeout=RUN_MS)
    (run,) = (run for run in client.runs() if run.id not in known)
    qtbot.waitUntil(lambda: sent(client, run.id), timeout=RUN_MS)
    viewer.close()
    assert client.attach(run.id).wait(RUN_MS / 1000).state == "done"


def sent(client: Client, run_id: str) -> bool:
    """Return whether the backend holds the whole image: nobody could send the rest."""
    progress = client.attach(run_id).info().progress
    return 0 < progress.chunks_needed == progress.chunks_held
