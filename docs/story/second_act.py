"""The second act: another napari takes the run up, and does something with what came of it."""

import contextlib
from pathlib import Path

from qtpy.QtCore import Qt

from docs.story.window import Trouble, Window
from docs.story.words import say
from hmz_widgets.dock import ModelZoo
from hmz_widgets.object_dock import ObjectDock

EXPORTED = Path("nuclei-labels.ome.zarr")


def get_ready(window: Window) -> ModelZoo:
    """Open the sample and the list of runs."""
    window.open_sample()
    zoo = window.open_zoo()
    zoo.tabs.setCurrentWidget(zoo.runs_page.native)
    window.until(zoo.runs_page.table.rowCount, "the list of runs")
    return zoo


def take_up(window: Window, zoo: ModelZoo, home: Path) -> None:
    """Play it: attach, watch the labels grow on, find an object, export the labels.

    Parameters
    ----------
    home
        Where the labels are exported to.
    """
    page = zoo.runs_page
    page.refresh()
    window.until(lambda: page.table.rowCount() > 1, "the run in the list")
    page.view.selectRow(0)
    row = page.chosen()
    if row is None:
        raise Trouble("No run is chosen.")
    window.shoot("5-runs")
    page.actions.open.trigger()
    window.turn()
    window.until(lambda: window.labels() or not page.followed.is_following(row.run), "labels")
    if not page.followed.is_following(row.run):
        say("the run was over before it was taken up")
    window.shoot("6-resumed")
    window.until(lambda: not page.followed.is_following(row.run), "the end of the run")
    window.shoot("7-volume")
    status = page.followed.status(row.run)
    if status is None or status.message:
        raise Trouble(f"The run was not taken up: {status}")
    window.press(status.next_button)
    _find_an_object(window)
    with contextlib.chdir(home):
        _export(window)


def _find_an_object(window: Window) -> None:
    """Go to the largest object, as a click on its row does."""
    table = window.docked(ObjectDock)
    window.until(table.csv_button.isEnabled, "the table of objects")
    window.viewer.dims.ndisplay = 2
    table.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    table.view.selectRow(0)
    window.shoot("8-objects")


def _export(window: Window) -> None:
    table = window.docked(ObjectDock)
    table.export.export_to(table.labels.layer(), EXPORTED)
    window.until(lambda: table.status.line == f"Saved {EXPORTED}", "the export")
    if not (EXPORTED / "zarr.json").is_file():
        raise Trouble(f"{EXPORTED} was not written.")
    window.shoot("9-exported")
