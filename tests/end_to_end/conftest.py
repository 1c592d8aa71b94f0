"""A real backend process with the embedded engine, and clients that speak to it over HTTP."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from scipy import ndimage

from hmz_widgets.dock import ModelZoo
from hmz_widgets.model_page import ModelPage
from napari_hmz.client import Client, connect
from napari_hmz.testing.backend_process import BackendProcess, free_port

THRESHOLD = 36_000


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    backend = BackendProcess(tmp_path_factory.mktemp("backend"), free_port())
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def own_backend(tmp_path: Path) -> Iterator[BackendProcess]:
    """A backend of the test's own, that it may kill."""
    backend = BackendProcess(tmp_path / "own", free_port())
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clients of this test remember their runs; no setting of the user's is read."""
    for name in [name for name in os.environ if name.startswith("HMZ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path / "state"


Connect = Callable[..., Client]


@pytest.fixture
def connected(state: Path) -> Iterator[Connect]:
    clients: list[Client] = []

    def make(backend: BackendProcess, **settings: Any) -> Client:  # noqa: ANN401 # as connect has them
        clients.append(connect(backend.url, backend.token, state_dir=state, **settings))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(backend: BackendProcess, connected: Connect) -> Client:
    return connected(backend)


OpenPage = Callable[[Any, str], ModelPage]
RUN_MS = 120_000


@pytest.fixture
def open_page(
    backend: BackendProcess, state: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> OpenPage:
    """Open the dock in a viewer, on the backend of the test, and choose a model."""
    monkeypatch.setenv("HMZ_URL", backend.url)
    monkeypatch.setenv("HMZ_TOKEN", str(backend.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(state))

    def open_it(viewer: Any, model: str) -> ModelPage:  # noqa: ANN401 # napari is untyped here
        dock = ModelZoo(viewer)
        viewer.window.add_dock_widget(dock, name="Model Zoo")
        page = dock.model_page
        qtbot.waitUntil(lambda: page.models.card() is not None, timeout=RUN_MS)
        page.models.choose(model)
        return page

    return open_it


@pytest.fixture
def run_it(qtbot: QtBot) -> Callable[[Any, ModelPage], Any]:
    """Press Run, wait until the run has ended, and return the newest layer."""

    def run(viewer: Any, page: ModelPage) -> Any:  # noqa: ANN401 # napari is untyped here
        before = len(viewer.layers)
        page.desk.run_button.click()
        qtbot.waitUntil(lambda: len(viewer.layers) > before, timeout=RUN_MS)
        qtbot.waitUntil(page.desk.run_button.isEnabled, timeout=RUN_MS)
        assert not page.status.message
        return viewer.layers[-1]

    return run


MakeBlobs = Callable[..., NDArray[Any]]


@pytest.fixture
def blobs(request: pytest.FixtureRequest) -> MakeBlobs:
    """Make images of many shapes that touch, wind and end at borders; each test has its own."""
    seed = sum(map(ord, request.node.nodeid))

    def make(*shape: int, dtype: str = "uint16") -> NDArray[Any]:
        noise = np.random.default_rng(seed).random(shape or (40, 72, 80))
        smooth = ndimage.gaussian_filter(noise, 1.5)
        low, high = smooth.min(), smooth.max()
        return np.asarray((smooth - low) / (high - low) * 60_000, dtype)

    return make


@pytest.fixture(scope="session")
def labels_of() -> Callable[..., NDArray[Any]]:
    """Return what the result must be: the labels of the whole image, without tiles."""

    def label(image: NDArray[Any], threshold: float = THRESHOLD) -> NDArray[Any]:
        labels, _ = ndimage.label(image > threshold)
        return np.asarray(labels)

    return label


@pytest.fixture(scope="session")
def written() -> Callable[[Path], NDArray[Any]]:
    """Return the labels that a run has written."""
    return lambda store: np.asarray(zarr.open_array(store / "labels/labels/0", mode="r")[...])


@pytest.fixture
def zarr_of(tmp_path: Path) -> Callable[..., Path]:
    """Store an image as zarr with chunks of 16 x 32 x 32, and return where."""

    def make(image: NDArray[Any], name: str = "image.zarr", zarr_format: int = 3) -> Path:
        path = tmp_path / name
        chunks = tuple(
            min(c, n) for c, n in zip((16, 32, 32)[-image.ndim :], image.shape, strict=True)
        )
        names = ["z", "y", "x"][-image.ndim :] if zarr_format == 3 else None
        array = zarr.create_array(
            path, shape=image.shape, chunks=chunks, dtype=image.dtype,
            zarr_format=3 if zarr_format == 3 else 2, dimension_names=names,
        )  # fmt: skip # one line of sizes, one of names
        array[...] = image
        return path

    return make
