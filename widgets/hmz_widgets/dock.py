"""The Model Zoo dock: the backend that it works with, and its pages.

Lives in the Qt main thread. A page is an object with a `native` widget and a `close`; it gets the
viewer, the backend and the bridge, and nothing of the dock.
"""

import atexit
from collections.abc import Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from hmz_widgets import service
from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.drop import ZarrDrop
from hmz_widgets.header import Header
from hmz_widgets.layers import ready_labels
from hmz_widgets.model_page import ModelPage
from hmz_widgets.preferences import preferences
from hmz_widgets.pulse import Pulse
from hmz_widgets.runs_page import RunsPage
from hmz_widgets.service import (
    Connect,
    OpenKept,
    OpenPicture,
    known_backends,
    open_kept,
    open_picture,
)
from napari_hmz.door import Door
from napari_hmz.errors import HmzError

LEAVING_MS = 5_000
"""So long a script that ends waits for workers; a request that hangs shall not hang it."""


class ModelZoo(QWidget):  # type: ignore[misc] # Qt has no types that mypy can follow
    """The dock widget.

    Parameters
    ----------
    napari_viewer
        The viewer whose layers are offered, and to which results are added.
    connect
        Finds the backend; called in a worker. None: as the settings say.
    open_picture
        Opens a layer's array as a source; called in a worker.
    open_kept
        Opens what is kept of the backend's models; called in a worker.
    door
        Where people sign in and out.
    """

    def __init__(
        self,
        napari_viewer: Any,  # noqa: ANN401 # a viewer or napari's proxy of it
        *,
        connect: Connect | None = None,
        open_picture: OpenPicture = open_picture,
        open_kept: OpenKept = open_kept,
        door: Door | None = None,
    ) -> None:
        super().__init__()
        self.bridge = Bridge()
        self.door = door or Door()
        self.backend = Backend(self.bridge, connect or partial(service.connect, door=self.door))
        wishes, known = preferences(), known_backends()
        self.header = Header(self.backend, self.bridge, self.door, known)
        self.model_page = ModelPage(
            napari_viewer, self.backend, self.bridge, open_picture, open_kept
        )
        self.model_page.desk.live.setChecked(wishes.preview_again)
        self.runs_page = RunsPage(napari_viewer, self.backend, self.bridge)
        desk = self.model_page.desk
        self.pulse = Pulse(self.backend, self.bridge, lambda: desk.running)
        self.pulse.lost.connect(self._lost)
        self.pulse.found.connect(self._found_again)
        self._lay_out()
        ZarrDrop(self, self._dropped)
        ready_labels()
        self.destroyed.connect(partial(_close, self.__dict__))
        self._leave = partial(_leave, self.__dict__)
        atexit.register(self._leave)
        self.backend.find(start=wishes.start)

    def show_page(self, page: ModelPage | RunsPage) -> None:
        """Bring the dock and one of its pages to the front."""
        self.tabs.setCurrentWidget(page.native)
        frame = self.parentWidget()  # napari's; a person may have hidden it
        if frame is not None:
            frame.show()
            frame.raise_()

    def _lost(self, error: HmzError) -> None:
        self.model_page.desk.lose(self.header.lose(error))

    def _found_again(self) -> None:
        self.header.find_again()
        self.model_page.desk.lose(None)

    def _dropped(self, places: Sequence[str]) -> None:
        self.show_page(self.model_page)
        self.model_page.open(places)

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Model Zoo")
        self.tabs.tabBar().setAccessibleName("Model or runs")
        self.tabs.setTabBarAutoHide(True)
        self.tabs.tabBar().setDrawBase(False)  # in napari's themes, a white line
        self.tabs.addTab(self.model_page.native, "Model")
        self.tabs.addTab(self.runs_page.native, "Runs")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.header.native)
        outer.addWidget(self.tabs)


def _close(parts: dict[str, Any]) -> None:
    """Let go of viewer and backend once the widget is gone; runs go on at the backend.

    It gets the widget's parts, since the widget itself must not be touched any more.
    """
    if "_leave" not in parts:  # it has been done
        return
    atexit.unregister(parts.pop("_leave"))
    parts["pulse"].close()
    parts["door"].close()
    parts["bridge"].close()
    parts["model_page"].close()
    parts["runs_page"].close()
    parts["backend"].close()


def _leave(parts: dict[str, Any]) -> None:
    """Let go when a script ends with napari open: then Qt deletes its objects in any order.

    Workers speak through such objects; their threads must have ended before.
    """
    _close(parts)
    QThreadPool.globalInstance().waitForDone(LEAVING_MS)
