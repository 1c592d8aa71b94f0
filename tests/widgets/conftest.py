"""What widget tests share: cards, a dock with a fake client, and the hunt for leaks."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from napari.components import ViewerModel
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from hmz_widgets.bridge import Bridge
from hmz_widgets.dock import ModelZoo
from hmz_widgets.layers import Picture
from hmz_widgets.model_page import ModelPage
from hmz_widgets.object_dock import ObjectDock
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource

MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture(scope="session")
def make_card() -> MakeCard:
    def make(**changes: object) -> ModelCard:
        axes = changes.pop("axes", ["y", "x"])
        kind, dtype = changes.pop("kind", "instance-labels"), changes.pop("dtype", "uint32")
        card = {
            "id": "threshold",
            "version": "1",
            "name": "Threshold",
            "summary": "Marks what is bright",
            "task": "instance-segmentation",
            "digest": "d",
            "inputs": [{"name": "image", "axes": axes}],
            "outputs": [{"name": "labels", "kind": kind, "axes": axes, "dtype": dtype}],
            "parameters": {
                "threshold": {"type": "number", "default": 50, "minimum": 0, "maximum": 100}
            },
        }
        return ModelCard.model_validate(card | changes)

    return make


@dataclass(eq=False)
class Zoo:
    """A dock in a viewer, with the client behind it."""

    viewer: Any
    dock: ModelZoo
    client: FakeClient

    @property
    def page(self) -> ModelPage:
        """The page where a model is run."""
        return self.dock.model_page


OpenZoo = Callable[..., Zoo]


def open_fake(picture: Picture, dtypes: tuple[str, ...], /) -> FakeSource:
    return FakeSource(picture.data, picture.axes, picture.name)


@pytest.fixture
def open_zoo(make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot) -> OpenZoo:
    """Open a dock in a viewer and wait until its models are there."""

    def open_it(client: FakeClient | None = None) -> Zoo:
        viewer = make_napari_viewer_proxy()
        client = client or FakeClient([make_card()])
        dock = ModelZoo(viewer, connect=lambda *_, **__: client, open_picture=open_fake)
        viewer.window.add_dock_widget(dock, name="Model Zoo")
        qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
        return Zoo(viewer, dock, client)

    return open_it


@pytest.fixture
def start_run(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> Callable[[NDArray[Any]], Zoo]:
    """Open a dock, run its model on an image, and wait until one of the blocks is done.

    The others wait at the gate of the client.
    """

    def start(image: NDArray[Any]) -> Zoo:
        gate = threading.Semaphore(0)
        zoo = open_zoo(FakeClient([make_card()], gate=gate))
        zoo.viewer.add_image(image, name="cells")
        zoo.page.desk.run_button.click()
        gate.release()
        qtbot.waitUntil(lambda: "1 of " in zoo.page.status.line)
        return zoo

    return start


@pytest.fixture
def viewer() -> ViewerModel:
    """A viewer without a window."""
    return ViewerModel()


@pytest.fixture
def object_dock(viewer: ViewerModel, qtbot: QtBot) -> ObjectDock:
    """The dock of the object table, for the viewer without a window."""
    made = ObjectDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client remembers things in this test: not where the user's does."""
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if a test leaves widgets, bridges or threads of ours behind."""
    bridges: WeakSet[Bridge] = WeakSet()
    begin = Bridge.__init__

    def noted(self: Bridge) -> None:
        bridges.add(self)
        begin(self)

    monkeypatch.setattr(Bridge, "__init__", noted)
    yield
    if QApplication.instance() is None or request.node.rep_call.failed:
        return  # the traceback of a failure holds on to everything
    request.node.funcargs.clear()  # pytest would hold the fixtures' values beyond this point
    deadline = time.monotonic() + 10.0
    while [*widgets(), *threads(), *bridges] and time.monotonic() < deadline:
        QApplication.processEvents()
        # Outside of an event loop Qt does this only when it is asked to.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.1)  # a worker's thread ends a little after its last signal
        gc.collect()
    assert not [*widgets(), *threads(), *bridges]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("hmz")]


def widgets() -> list[Untyped]:
    ours = QApplication.allWidgets()
    return [widget for widget in ours if type(widget).__module__.startswith("hmz_widgets")]
