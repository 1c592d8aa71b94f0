"""What the person looks at goes first: it is told to the backend.

Lives in the Qt main thread; telling itself is a worker's business.
"""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer

from hmz_widgets.sight import camera_of
from napari_hmz.schema import Region

PAUSE_MS = 300
"""How long sliders and camera must rest before the backend hears of them."""


class Gaze:
    """Follows the sliders and the camera of a viewer while a run goes.

    Parameters
    ----------
    viewer
        The viewer.
    looked_at
        Says which part of the volume is on show; empty if it is all of it.
    tell
        Takes that part, when it has changed and the viewer rests.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        looked_at: Callable[[], Region],
        tell: Callable[[Region], None],
    ) -> None:
        self._looked_at, self._tell = looked_at, tell
        self._told: Region = {}
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._rest)
        dims, camera = viewer.dims.events, camera_of(viewer).events
        self._followed = (dims.point, dims.ndisplay, dims.order, camera.center, camera.zoom)
        for event in self._followed:
            event.connect(self._moved)
        self._rest()

    def close(self) -> None:
        """Follow no longer."""
        self._timer.stop()
        for event in self._followed:
            event.disconnect(self._moved)

    def _moved(self, _event: object = None) -> None:
        self._timer.start(PAUSE_MS)

    def _rest(self) -> None:
        region = self._looked_at()
        if region and region != self._told:
            self._told = region
            self._tell(region)
