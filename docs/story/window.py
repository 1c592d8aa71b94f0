"""A napari window as a person uses it: things are pressed, waited for, and photographed."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import napari
from PIL import Image
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from docs.story.words import say
from hmz_widgets.dock import ModelZoo

PLUGIN = "napari-hmz"
SIZE_PX = (1280, 820)
MIDDLE_PLANE = 30
SEEN_FROM = (10, 30, 60)
"""Camera angles from which the volume looks like one."""
FARTHER = 0.85
COLOURS = 256
PATIENCE_S = 300.0
POLL_S = 0.02
Dock = TypeVar("Dock", bound=QWidget)
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


class Trouble(Exception):
    """Something that a person would have been shown, or waited for in vain."""


class Window:
    """A napari window with the sample in it.

    Parameters
    ----------
    pictures
        The folder that pictures are written into.
    size_px
        Width and height.
    """

    def __init__(self, pictures: Path, size_px: tuple[int, int] = SIZE_PX) -> None:
        self._pictures = pictures
        self._shots: dict[str, Untyped] = {}
        self.viewer: Untyped = napari.Viewer(title="napari", ndisplay=2, show=True)
        self.viewer.window.resize(*size_px)
        self.settle(0.3)

    def open_sample(self) -> None:
        """Open the sample volume, and look at its middle."""
        self.viewer.open_sample(PLUGIN, "nuclei")
        self.viewer.dims.set_current_step(0, MIDDLE_PLANE)

    def open_zoo(self) -> ModelZoo:
        """Open the Model Zoo dock."""
        self.viewer.window.add_plugin_dock_widget(PLUGIN, "Model Zoo")
        return self.docked(ModelZoo)

    def docked(self, kind: type[Dock]) -> Dock:
        """Return the dock widget of a kind that is open."""
        found = [one for one in QApplication.allWidgets() if isinstance(one, kind)]
        if not found:
            raise Trouble(f"There is no {kind.__name__}.")
        return found[0]

    def press(self, button: QAbstractButton) -> None:
        """Press a button, as soon as it can be pressed."""
        self.until(lambda: bool(button.isEnabled() and button.isVisible()), button.text())
        button.click()

    def until(self, ready: Callable[[], object], what: str) -> None:
        """Let the window live until something is ready.

        Raises
        ------
        Trouble
            If it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not ready():
            self.settle(POLL_S)
            if time.monotonic() > deadline:
                self.shoot("trouble")
                self.develop()
                raise Trouble(f"Waited in vain for: {what}")

    def settle(self, seconds: float) -> None:
        """Let the window draw for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            QApplication.processEvents()
            time.sleep(0.01)  # the event loop of a script: workers need the time

    def turn(self) -> None:
        """Show the volume from a side, all of it."""
        self.viewer.dims.ndisplay = 3
        camera = self.viewer.scene.camera
        camera.angles, camera.zoom = SEEN_FROM, FARTHER * camera.zoom
        self.settle(0.2)

    def labels(self) -> bool:
        """Return whether what lies over the sample has any values."""
        return any(bool(layer.data.any()) for layer in self.viewer.layers[1:])

    def frame(self) -> Image.Image:
        """Return what the canvas shows."""
        return Image.fromarray(self.viewer.screenshot(canvas_only=True, flash=False)).convert("RGB")

    def shoot(self, name: str) -> None:
        """Take a picture of the window; `develop` writes it, since runs do not wait for that."""
        self.settle(0.3)  # what has just changed is drawn
        self._shots[name] = self.viewer.screenshot(canvas_only=False, flash=False)

    def develop(self) -> None:
        """Write the pictures, in as many colours as it takes to look the same."""
        for name, shot in self._shots.items():
            path = self._pictures / f"{name}.png"
            picture = Image.fromarray(shot).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            say(path)
        self._shots.clear()

    def close(self) -> None:
        """Close napari, whatever goes on."""
        self.viewer.close()
        self.settle(0.2)
