"""A table that a model has given, to read, sort and save. Lives in the Qt main thread."""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPushButton, QTableView, QVBoxLayout, QWidget

from hmz_widgets.bridge import Bridge
from hmz_widgets.object_model import ObjectModel
from hmz_widgets.status import StatusView
from napari_hmz.objects import ObjectTable


class RowView(QWidget):  # type: ignore[misc] # Qt has no types that mypy can follow
    """The rows, and what saves them.

    Parameters
    ----------
    table
        What is shown.
    name
        What the file is called that is proposed.
    """

    def __init__(self, table: ObjectTable, name: str) -> None:
        super().__init__()
        self._table, self._name = table, name
        self._bridge = Bridge()
        self._model = ObjectModel()
        self._model.show(table)
        self.view = QTableView()
        self.view.setModel(self._model)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.view.verticalHeader().hide()
        self.view.setAccessibleName(f"Rows of {name}")
        self.save_button = QPushButton("Save table …")
        self.save_button.setToolTip("Write the rows as CSV")
        self.save_button.clicked.connect(self.save)
        self.status = StatusView()
        self.status.rest(f"{len(table):,} row{'' if len(table) == 1 else 's'}")
        layout = QVBoxLayout(self)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.save_button)
        layout.addWidget(self.status.native)

    def save(self) -> None:
        """Ask where, and write the rows as CSV there."""
        proposed = f"{self._name}.csv".replace("/", "-")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save table", proposed, "Tables (*.csv)")
        if chosen:
            self.save_to(Path(chosen))

    def save_to(self, path: Path) -> None:
        """Write the rows as CSV; the person has agreed to replace what is there."""
        self.status.busy(f"Writing {path.name} …")
        self._bridge.call(
            partial(self._table.write_csv, path),
            done=partial(self._saved, path),
            failed=self.status.fail,
        )

    def _saved(self, path: Path, _nothing: object) -> None:
        self.status.rest(f"Saved {path}")
