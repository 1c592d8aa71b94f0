"""napari with a run whose results stream in: `python -m benchmarks.window ASKED` in an X server.

A process of its own, since a program has one Qt application only; it writes what it measured as
JSON.
"""

import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QTimer

from benchmarks.generated import AXES
from benchmarks.playback import Playback
from benchmarks.stalls import Stalls, live
from hmz_widgets.bridge import Bridge
from hmz_widgets.layers import picture, ready_labels
from hmz_widgets.redrawing import FLOOR_3D_MS
from hmz_widgets.run_view import RunView
from hmz_widgets.status import StatusView
from napari_hmz.client import Client, connect
from napari_hmz.live import Ended, Update, WatchedRun, perform
from napari_hmz.schema import Region
from napari_hmz.sources import open_source

SIZE_PX = (1360, 860)
REPEATS = 15
PAUSE_S = 0.15
MODEL = "nuclei-2d"
COMPUTED_S = 30.0
CELL_PX = 32
SETTLED_S = 0.5
"""After the layer was added, which is measured by itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is shown.

    Parameters
    ----------
    ndisplay
        In a plane (2) or as a volume (3).
    shape_px, chunk_px
        z, y, x.
    per_s
        How many chunks are done in a second.
    zoom
        Of the camera, relative to where everything is in view.
    url, token, state
        A backend that computes the results, and a folder for what the client remembers; none: they
        are played back.
    """

    ndisplay: int
    shape_px: tuple[int, ...]
    chunk_px: tuple[int, ...]
    per_s: float
    zoom: float = 1.0
    url: str = ""
    token: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured; times in milliseconds.

    Parameters
    ----------
    adding_ms, small_ms
        Adding the layer of the run; a labels layer of a few voxels added by hand.
    stalls_ms
        While results streamed in, and the last redrawing; the longest first.
    redraw_ms, refresh_ms
        What napari takes by itself, longest first: to draw the window again with nothing new, and
        to refresh the whole layer.
    drawn, most_in_a_period
        How often something of the layer was drawn anew while results streamed in, and how often
        within the shortest pause that a volume is given.
    """

    adding_ms: float
    small_ms: float
    stalls_ms: Sequence[float]
    redraw_ms: Sequence[float]
    refresh_ms: Sequence[float]
    drawn: int
    most_in_a_period: int
    seconds: float


class Window:
    """napari with an image, and beside it how far a run is."""

    def __init__(self, asked: Asked) -> None:
        self.viewer = napari.Viewer(ndisplay=asked.ndisplay)
        self.viewer.window.resize(*SIZE_PX)
        self.image = self.viewer.add_image(_noise(asked.shape_px), name="image", axis_labels=AXES)
        self.viewer.scene.camera.zoom *= asked.zoom
        self.bridge, self.status = Bridge(), StatusView()
        self.viewer.window.add_dock_widget(self.status.native, name="run", area="right")
        ready_labels()
        live(1.0)
        self.stalls = Stalls()
        self._is_drawing = False
        self.added: list[float] = []
        """When the layer of the run was about to be added, and when it was."""
        self.drawn: list[float] = []
        """When something of it was drawn anew."""
        self.over: list[float] = []
        """When the run had ended, and when that had been shown."""

    def play(self, start: Callable[[], WatchedRun], for_s: float = math.inf) -> None:
        """Show a run until it has ended; it is cancelled after so many seconds with its layer."""
        events = self.viewer.layers.events
        events.inserting.connect(self._adding)
        events.inserted.connect(self._added)
        self._view = RunView(self.viewer, picture(self.image, AXES), self.bridge, self.status)
        live(1.0)  # at least as long as it takes to prepare an image
        self.bridge.listen(partial(perform, start), take=self._take, ended=self._over)
        while len(self.over) < 2:  # moments
            live(0.2)
            if self.added and perf_counter() - self.added[-1] > for_s:
                self._view.cancel()
        live(0.5)
        self._view.close()
        events.inserting.disconnect(self._adding)
        events.inserted.disconnect(self._added)

    def close(self) -> None:
        """Close the window."""
        self.bridge.close()
        self.viewer.close()
        live(0.2)

    def _take(self, update: Update) -> None:
        if isinstance(update, Ended):
            self.over.append(perf_counter())
        self._view.take(update)

    def _over(self) -> None:
        self.over.append(perf_counter())

    def _adding(self) -> None:
        self.added.append(perf_counter())

    def _added(self, event: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self.added.append(perf_counter())
        for sign in (event.value.events.set_data, event.value.events.labels_update):
            sign.connect(self._draw)

    def _draw(self, _event: object = None) -> None:
        """Note a drawing: all that comes before Qt gets to go on is one."""
        if not self._is_drawing:
            self._is_drawing = True
            self.drawn.append(perf_counter())
            QTimer.singleShot(0, self._drew)

    def _drew(self) -> None:
        self._is_drawing = False


def measured(asked: Asked) -> Seen:
    """Open napari, play a run back, and close it."""
    window = Window(asked)
    shape, chunks = (dict(zip(AXES, px, strict=True)) for px in (asked.shape_px, asked.chunk_px))
    if asked.url:
        with connect(asked.url, asked.token, state_dir=asked.state) as client:
            window.play(partial(_computed, client, window.image.data), COMPUTED_S)
    else:
        window.play(partial(Playback, shape, chunks, asked.per_s))
    viewer, stalls = window.viewer, window.stalls
    streamed_ms = stalls.longest_ms(window.added[-1] + SETTLED_S, window.over[-1])
    adding_ms = stalls.longest_ms(*window.added)[0]
    drawn_s = [moment for moment in window.drawn if window.added[-1] < moment < window.over[0]]
    redraw_ms = _each(stalls, lambda: _nudge(viewer))
    refresh_ms = _each(stalls, viewer.layers[-1].refresh)
    small_ms = _each(stalls, lambda: viewer.add_labels(np.zeros((4, 4, 4), np.uint32)), 3)
    window.close()
    return Seen(
        adding_ms=adding_ms,
        small_ms=statistics.median(small_ms),
        stalls_ms=streamed_ms[:100],
        redraw_ms=redraw_ms,
        refresh_ms=refresh_ms,
        drawn=len(drawn_s),
        most_in_a_period=_most(drawn_s, FLOOR_3D_MS / 1000),
        seconds=window.over[0] - window.added[-1],
    )


def _each(stalls: Stalls, act: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return the longest stall of each time that something is done, the longest first."""
    found = []
    for _ in range(repeats):
        began_s = perf_counter()
        act()
        live(PAUSE_S)
        found.append(stalls.longest_ms(began_s)[0])
    return sorted(found, reverse=True)


def _nudge(viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
    """Have the window drawn with nothing new in it."""
    viewer.scene.camera.zoom *= 1.001


def _most(moments_s: Sequence[float], period_s: float) -> int:
    """Return how many of these moments lie in one period at most."""
    return max(
        (sum(first <= other < first + period_s for other in moments_s) for first in moments_s),
        default=0,
    )


def _noise(shape_px: tuple[int, ...]) -> Any:  # noqa: ANN401 # numpy out
    """Return noise with round things in it, which a model finds."""
    array = np.random.default_rng(0).integers(0, 4000, shape_px, dtype=np.uint16)
    y, x = np.ogrid[: shape_px[-2], : shape_px[-1]]
    far = (y % CELL_PX - CELL_PX / 2) ** 2 + (x % CELL_PX - CELL_PX / 2) ** 2
    array += np.where(far < (CELL_PX / 4) ** 2, 20_000, 0).astype(np.uint16)
    return array


def _computed(client: Client, image: Any) -> WatchedRun:  # noqa: ANN401 # numpy in
    """Start a run as the dock does: the plane on show goes first."""
    focus: Region = {"z": (image.shape[0] // 2, image.shape[0] // 2 + 1)}
    return client.run(MODEL, open_source(image, axes=AXES), focus=focus, watched=True)


def main() -> None:
    asked = Asked(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(measured(asked))))


if __name__ == "__main__":
    main()
