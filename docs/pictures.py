"""Make the pictures of the documentation from the real plugin, backend and sample volume.

`xvfb-run -a -s "-screen 0 1400x900x24" python docs/pictures.py [FOLDER]` opens napari, starts this
machine's backend, runs a model on the sample, and writes one picture per step. It says how long it
took from opening the window to the first labels. On a desktop, leave out `xvfb-run` and keep off
the window.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from hmz_widgets.dock import ModelZoo
from hmz_widgets.model_page import ModelPage

IMAGES = Path(__file__).parent / "images"
MODEL = "nuclei-3d"
SLOW_MODEL = "nuclei-2d"
"""Works plane by plane, so that there is something to see while it runs."""
PATIENCE_S = 600.0
COLOURS = 256
MIDDLE_PLANE = 30


def main(folder: Path) -> None:
    """Go through a first run and take a picture of each step."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    viewer = napari.Viewer(title="napari", ndisplay=2, show=True)
    viewer.window.resize(1360, 860)
    viewer.open_sample("napari-hmz", "nuclei")
    viewer.dims.set_current_step(0, MIDDLE_PLANE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Model Zoo")
    page = dock.model_page
    started(dock)
    until(lambda: dock.header.state == "Running" and page.models.card() is not None, page)
    page.models.choose(SLOW_MODEL)
    settle(1.0)
    page.desk.run_button.click()
    until(lambda: some_labels(viewer), page)
    print(f"first labels after {time.monotonic() - began:.0f} s")  # noqa: T201 # a script's own word
    settle(0.5)
    shoot(viewer, folder / "running.png")
    until(page.desk.run_button.isEnabled, page)
    viewer.layers.pop()
    page.models.choose(MODEL)
    page.desk.run_button.click()
    until(page.desk.run_button.isEnabled, page)
    settle(1.0)
    shoot(viewer, folder / "first-run.png")
    turn(viewer)
    shoot(viewer, folder / "volume.png")
    viewer.close()


def started(dock: ModelZoo) -> None:
    """Start the backend of this machine with the button, unless it runs."""
    while dock.header.state not in ("Running", "Not started"):
        settle(0.05)
    if not dock.header.start_button.isHidden():
        dock.header.start_button.click()


def turn(viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
    """Show the volume from the side."""
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (10, 30, 60)
    settle(2.0)


def some_labels(viewer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    """Return whether the plane on show has labels."""
    return any(bool(layer.data[MIDDLE_PLANE].any()) for layer in viewer.layers[1:])


def shoot(viewer: Any, path: Path) -> None:  # noqa: ANN401 # napari is untyped here
    """Write a picture of the whole window, in as many colours as it takes to look the same."""
    window = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    window.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)  # noqa: T201 # a script's own word


def settle(seconds: float) -> None:
    """Let the window draw for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        QApplication.processEvents()
        time.sleep(0.01)


def until(ready: Callable[[], bool], page: ModelPage) -> None:
    """Let the window live until something is ready; stop if the page shows an error."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        settle(0.05)
        if page.status.message or time.monotonic() > deadline:
            sys.exit(page.status.message or "It took too long.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
