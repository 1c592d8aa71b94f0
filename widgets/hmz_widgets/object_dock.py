"""The Object table dock: measure the objects of a labels layer, find them, save and export them.

Everything runs in the Qt main thread, except `_measure`, which runs in a worker.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from hmz_widgets.bridge import Bridge
from hmz_widgets.label_export import LabelExport
from hmz_widgets.labelled import LabelPicture, array_reader, label_picture, offset_in
from hmz_widgets.layer_choice import LayerChoice
from hmz_widgets.layers import finest
from hmz_widgets.object_link import ObjectLink
from hmz_widgets.object_model import ObjectModel
from hmz_widgets.status import StatusView
from napari_hmz.errors import HmzError
from napari_hmz.objects import Measured, ObjectTable, Reader, measuring
from napari_hmz.schema import sizes_of

ROW_PX = 22
"""Rows of one height: Qt need not ask each of 100,000 how high it is."""

SAMPLED_ROWS = 50
"""Columns are as wide as these rows need."""


class ObjectDock(QWidget):  # type: ignore[misc] # Qt has no types that mypy can follow
    """The dock widget.

    Parameters
    ----------
    napari_viewer
        Whose labels layers are measured.
    """

    def __init__(self, napari_viewer: Any) -> None:  # noqa: ANN401 # a viewer or napari's proxy
        super().__init__()
        self._viewer = napari_viewer
        self._bridge = Bridge()
        self._link: ObjectLink | None = None
        self._busy = False
        self.labels = LayerChoice(napari_viewer, _is_labels, title="Labels")
        self.image = LayerChoice(
            napari_viewer, self._lies_under, title="Intensities of", none="none"
        )
        self.model = ObjectModel()
        self.view = QTableView()
        self.measure_button = QPushButton("Measure")
        self.csv_button = QPushButton("Save table …")
        self.status = StatusView()
        self.export = LabelExport(napari_viewer, self.labels.layer, self._bridge, self.status)
        self._lay_out()
        self._wire_up()
        self._labels_chosen()

    def measure(self) -> None:
        """Measure the objects of the chosen layer; nothing happens while one is measured."""
        layer, image = self.labels.layer(), self.image.layer()
        picture = None if layer is None else label_picture(layer)
        if picture is None or self._busy:
            return
        self._busy = True
        self._let_go()
        self._link = ObjectLink(self._viewer, layer, self._select, self._edited)
        self.status.busy("Measuring …")
        self._refresh_buttons()
        under = None if image is None else _reader_under(image, layer, picture)
        self._bridge.listen(partial(_measure, picture, under), take=self._take, ended=self._over)

    def save_table(self) -> None:
        """Ask where, and write the table as CSV there."""
        table = self.model.table
        if table is None or self._link is None:
            return
        name = f"{self._link.layer.name} objects.csv".replace("/", "-")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save table", name, "Tables (*.csv)")
        if chosen:
            self.save_to(Path(chosen))

    def save_to(self, path: Path) -> None:
        """Write the table as CSV; the person has agreed to replace what is there."""
        table = self.model.table
        if table is None:
            return
        self.status.busy(f"Writing {path.name} …")
        self._bridge.call(
            partial(table.write_csv, path),
            done=partial(self._saved, path),
            failed=self.status.fail,
        )

    def _take(self, step: "Measured | ObjectTable | HmzError") -> None:
        if isinstance(step, Measured):
            self.status.count(step.parts, step.parts_total, "Measuring …")
        elif isinstance(step, ObjectTable):
            self._show(step)
        else:
            self._let_go()
            self.status.fail(step)

    def _show(self, table: ObjectTable) -> None:
        if self._link is None or self._link.layer not in self._viewer.layers:
            self.status.rest("The layer is gone.")
            return
        self._link.show(table)
        self.model.show(table)
        self.view.resizeColumnsToContents()
        word = "object" if len(table) == 1 else "objects"
        self.status.rest(f"{len(table):,} {word} in {self._link.layer.name}")
        self._select(int(self._link.layer.selected_label))

    def _over(self) -> None:
        self._busy = False
        self._refresh_buttons()

    def _saved(self, path: Path, _nothing: object) -> None:
        self.status.rest(f"Saved {path}")

    def _select(self, label: int) -> None:
        """Show the row of a label; the viewer stays where it is."""
        row = self.model.row_of(label)
        if row is None:
            self.view.clearSelection()
            return
        index = self.model.index(row, 0)
        with signals_blocked(self.view.selectionModel()):
            self.view.selectRow(row)
        self.view.scrollTo(index)
        self.view.viewport().update()

    def _row_chosen(self, index: Any, _before: object = None) -> None:  # noqa: ANN401 # Qt's
        """Go where the object of a row lies."""
        if self._link is not None and index.isValid():
            self._link.go_to(self.model.place(index.row()))

    def _edited(self) -> None:
        if self.model.table is not None:
            self.status.rest("The labels have changed since they were measured: measure again.")

    def _let_go(self) -> None:
        """Forget the measured layer and its table."""
        if self._link is not None:
            self._link.close()
        self._link = None
        self.model.show(None)

    def _lies_under(self, image: Any) -> bool:  # noqa: ANN401 # napari's layer
        from napari.layers import Image

        labels = self.labels.layer()
        return (
            isinstance(image, Image) and labels is not None and offset_in(image, labels) is not None
        )

    def _labels_chosen(self) -> None:
        self.image.list_layers()
        self._refresh_buttons()

    def _layers_changed(self) -> None:
        if self._link is not None and self._link.layer not in self._viewer.layers:
            self._let_go()
            self.status.rest()
        self._refresh_buttons()

    def _refresh_buttons(self) -> None:
        layer = self.labels.layer()
        why = ""
        if layer is None:
            why = "There is no labels layer."
        elif label_picture(layer) is None:
            why = f"The layer has {layer.ndim} dimensions; 2 to 5 can be measured."
        self.measure_button.setEnabled(not why and not self._busy)
        self.export.native.setEnabled(not why)
        self.measure_button.setToolTip(why or "Measure every object, part by part")
        self.csv_button.setEnabled(self.model.table is not None and not self._busy)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Labels", self.labels.native)
        form.addRow("Intensities of", self.image.native)
        self.image.native.setToolTip("The image whose values are measured within each object")
        self.csv_button.setToolTip("Write the table as CSV: one row per object")
        buttons = QHBoxLayout()
        buttons.addWidget(self.measure_button, 2)
        buttons.addWidget(self.csv_button, 1)
        buttons.addWidget(self.export.native, 1)
        self.view.setModel(self.model)
        self.view.setAccessibleName("Objects")
        self.view.setToolTip("Choose a row to go to the object; click a title to sort")
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.view.setTabKeyNavigation(False)
        self.view.horizontalHeader().setResizeContentsPrecision(SAMPLED_ROWS)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW_PX)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self.status.native)
        layout.addWidget(self.view, 1)

    def _wire_up(self) -> None:
        self.labels.changed.connect(self._labels_chosen)
        self.measure_button.clicked.connect(self.measure)
        self.csv_button.clicked.connect(self.save_table)
        self.view.clicked.connect(self._row_chosen)
        self.view.selectionModel().currentRowChanged.connect(self._row_chosen)
        self.labels.listed.connect(self._layers_changed)
        self.destroyed.connect(partial(_close, self.__dict__))


def open_table(viewer: Any, layer: Any) -> None:  # noqa: ANN401 # napari is untyped here
    """Open the dock in a viewer, and measure a labels layer in it."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-hmz", "Object table", tabify=True)
    dock.labels.choose(layer)
    dock.measure()


def _measure(
    picture: LabelPicture, under: Reader | None
) -> "Iterator[Measured | ObjectTable | HmzError]":
    """Measure a picture (in a worker); what goes wrong as foreseen is the last step."""
    try:
        yield from measuring(
            picture.read, picture.shape, picture.space, image=under, chunks=picture.chunks
        )
    except HmzError as error:
        yield error


def _reader_under(image: Any, labels: Any, picture: LabelPicture) -> Reader | None:  # noqa: ANN401 # napari's layers
    """Return what reads an image layer where a labels layer lies."""
    offset = offset_in(image, labels)
    if offset is None:
        return None
    return array_reader(finest(image), picture.axes, sizes_of(picture.axes, offset))


def _is_labels(layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    from napari.layers import Labels

    return isinstance(layer, Labels)


def _close(parts: dict[str, Any]) -> None:
    """Let go of viewer and layers once the widget is gone: it must not be touched any more."""
    parts["_bridge"].close()
    parts["labels"].close()
    parts["image"].close()
    if parts["_link"] is not None:
        parts["_link"].close()
