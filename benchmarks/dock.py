"""The dock at work: `python -m benchmarks.dock ASKED` in an X server runs a model from it.

A process of its own, since a program has one Qt application only; it writes what it measured as
JSON.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from benchmarks.generated import AXES, MARK, GeneratedSource
from benchmarks.marked import NAME
from benchmarks.stalls import live
from hmz_widgets.dock import ModelZoo
from hmz_widgets.layers import Picture
from napari_hmz.client import connect
from napari_hmz.run import Run

SIZE_PX = (1360, 860)
POLL_S = 0.05
PATIENCE_S = 60.0
PER_CHUNK = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """What is run.

    Parameters
    ----------
    url, token, state
        The backend, and a folder for what the client remembers.
    shapes_px, chunk_px
        z, y, x of the images, which take turns; the extent of their chunks along each axis.
    """

    url: str
    token: str
    state: str
    shapes_px: tuple[tuple[int, int, int], ...]
    chunk_px: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The first labels of a run on the screen.

    Parameters
    ----------
    sent
        Share of the image's bytes that had been sent when they were drawn.
    seconds
        From pressing Run.
    """

    sent: float
    seconds: float


class Lazy:
    """What napari needs of an array: a generated image of which only the plane on show is made."""

    def __init__(self, source: GeneratedSource) -> None:
        self.source = source
        self.shape = tuple(source.request.shape[axis] for axis in AXES)
        self.dtype = np.dtype(source.request.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:  # noqa: ANN401 # as numpy takes it
        """Return a part: each axis by a number or by a slice without steps."""
        places = index if isinstance(index, tuple) else (index,)
        places = places + (slice(None),) * (self.ndim - len(places))
        cuts = [
            slice(int(place), int(place) + 1) if not isinstance(place, slice) else place
            for place in places
        ]
        region = {
            axis: cut.indices(size)[:2]
            for axis, cut, size in zip(AXES, cuts, self.shape, strict=True)
        }
        flat = tuple(0 if not isinstance(place, slice) else slice(None) for place in places)
        return self.source.read(region)[flat]


class Kept:
    """A client, and the run that it has started last."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 # all of it is passed on
        self._client = client
        self.last: Run | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # all of it is passed on
        return getattr(self._client, name)

    def run(self, *arguments: Any, **options: Any) -> Run:  # noqa: ANN401 # passed on as they are
        """Start a run, and keep it."""
        run: Run = self._client.run(*arguments, **options)
        self.last = run
        return run


class Dock:
    """napari with the dock in it."""

    def __init__(self, asked: Asked) -> None:
        self._chunk_px = asked.chunk_px
        self._viewer = napari.Viewer()
        self._viewer.window.resize(*SIZE_PX)
        self._client = Kept(connect(asked.url, asked.token, state_dir=asked.state))
        self._drawn: list[tuple[float, int]] = []
        zoo = ModelZoo(self._viewer, connect=lambda *_, **__: self._client, open_picture=_source_of)
        self._viewer.window.add_dock_widget(zoo, name="Model Zoo", area="right")
        self._models, self._desk = zoo.model_page.models, zoo.model_page.desk
        until(lambda: self._models.card() is not None)
        self._models.choose(NAME)

    def first(self, shape: tuple[int, int, int]) -> Seen:
        """Run the model on a new image, and stop once the first labels are on the screen."""
        extents = dict(zip(AXES, shape, strict=True))
        # As in tissue, there are some in each plane of a block.
        source = GeneratedSource(extents, self._chunk_px, objects=PER_CHUNK)
        arguments = {"axis_labels": AXES, "contrast_limits": (0, MARK), "multiscale": False}
        self._viewer.add_image(Lazy(source), rgb=False, name="image", **arguments)
        # Objects keep clear of the last plane of a chunk.
        self._viewer.dims.set_current_step(0, shape[0] // 2 + self._chunk_px // 2)
        self._drawn.clear()
        self._viewer.layers.events.inserted.connect(self._added)
        live(1.0)
        until(self._desk.run_button.isEnabled)
        began_s = perf_counter()
        self._desk.run_button.click()
        until(lambda: bool(self._drawn) or self._confirmed())
        until(lambda: bool(self._drawn))
        self._desk.cancel_button.click()
        until(lambda: not self._desk.running)
        self._viewer.layers.events.inserted.disconnect(self._added)
        self._viewer.layers.clear()
        seen_s, sent = self._drawn[0]
        return Seen(sent / source.filled_bytes, seen_s - began_s)

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()
        live(0.5)

    def _confirmed(self) -> bool:
        """Agree to a run that is heavy for this machine, if that is asked."""
        if not self._desk.confirmation.isHidden():
            self._desk.start_button.click()
        return False

    def _added(self, event: Any) -> None:  # noqa: ANN401 # napari is untyped here
        event.value.events.labels_update.connect(self._updated)

    def _updated(self, event: Any) -> None:  # noqa: ANN401 # napari is untyped here
        if event.data.any():
            QTimer.singleShot(0, self._note)  # by then the window is drawn

    def _note(self) -> None:
        if self._client.last is not None:
            self._drawn.append((perf_counter(), self._client.last.transfer.bytes_up))


def _source_of(picture: Picture, _dtypes: tuple[str, ...], /) -> GeneratedSource:
    source: GeneratedSource = picture.data.source
    return source


def until(ready: Callable[[], object]) -> None:
    """Let the window live until something is so."""
    deadline_s = perf_counter() + PATIENCE_S
    while not ready():
        live(POLL_S)
        if perf_counter() > deadline_s:
            raise RuntimeError("waited in vain")


def main() -> None:
    asked = Asked(**json.loads(sys.argv[1]))
    os.environ["HMZ_CONFIG"] = str(Path(asked.state) / "none.toml")
    os.environ["HMZ_STATE_DIR"] = asked.state
    dock = Dock(asked)
    seen = []
    for z, y, x in asked.shapes_px:
        seen.append(dock.first((z, y, x)))
    dock.close()
    print(json.dumps([asdict(one) for one in seen]))


if __name__ == "__main__":
    main()
