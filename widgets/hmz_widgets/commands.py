"""What the command palette of napari offers of the dock; each command opens it if need be.

Lives in the Qt main thread. What cannot be done now says why, in a notification of napari's: the
dock may be out of sight.
"""

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QPushButton

from hmz_widgets.dock import ModelZoo
from hmz_widgets.preferences import PLUGIN


def choose_model(viewer: Viewer) -> None:
    """Open the catalogue."""
    page = _dock(viewer).model_page
    page.models.browse()


def refresh_models(viewer: Viewer) -> None:
    """Ask the backend which models there are."""
    _dock(viewer).model_page.refresh()


def preview(viewer: Viewer) -> None:
    """Run the chosen model on what is in view."""
    dock = _dock(viewer)
    _press(dock, dock.model_page.desk.preview_button)


def run(viewer: Viewer) -> None:
    """Run the chosen model on the chosen layer."""
    dock = _dock(viewer)
    _press(dock, dock.model_page.desk.run_button)


def cancel(viewer: Viewer) -> None:
    """Stop what goes on; what is done stays."""
    desk = _dock(viewer).model_page.desk
    if desk.cancel_button.isEnabled():
        desk.cancel()
    else:
        show_info("Nothing is running that was started here.")


def runs(viewer: Viewer) -> None:
    """Show all runs on the backend."""
    dock = _dock(viewer)
    dock.show_page(dock.runs_page)


def start_backend(viewer: Viewer) -> None:
    """Start the backend of this machine, and work with it."""
    _dock(viewer).header.start()


def log(viewer: Viewer) -> None:
    """Show what the backend of this machine has written."""
    _dock(viewer).header.show_log()


def _press(dock: ModelZoo, button: QPushButton) -> None:
    if button.isEnabled():
        button.click()
    else:
        show_info(dock.model_page.hindrance() or "The Model Zoo is not ready yet.")


def _dock(viewer: Viewer) -> ModelZoo:
    """Bring the dock of this viewer to the front, and return it; where there is none, open one."""
    docks = [each for each in viewer.window.dock_widgets.values() if isinstance(each, ModelZoo)]
    dock = docks[0] if docks else viewer.window.add_plugin_dock_widget(PLUGIN, "Model Zoo")[1]
    dock.show_page(dock.model_page)
    return dock
