"""The table of objects as Qt shows it: rows in any order, texts made only for what is on show."""

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_hmz.objects import ObjectTable

_WHOLE = 1000
"""Figures from here on are shown without decimals."""
_PARENT = QModelIndex()


class ObjectModel(QAbstractTableModel):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Shows an `ObjectTable`; sorting moves numbers, never texts."""

    def __init__(self) -> None:
        super().__init__()
        self.table: ObjectTable | None = None
        self._order = np.zeros(0, np.intp)
        self._place = np.zeros(0, np.intp)
        self._sorted_by = (0, Qt.SortOrder.AscendingOrder)

    def show(self, table: ObjectTable | None) -> None:
        """Show another table, or none."""
        self.beginResetModel()
        self.table = table
        self._arrange()
        self.endResetModel()

    def label(self, row: int) -> int:
        """Return the label of the object in a row."""
        return int(self._column(0)[self._order[row]])

    def row_of(self, label: int) -> int | None:
        """Return the row in which the object with a label is shown; None if there is none."""
        found = None if self.table is None else self.table.row_of(label)
        return None if found is None else int(self._place[found])

    def place(self, row: int) -> int:
        """Return where in the table the object of a row stands."""
        return int(self._order[row])

    def rowCount(self, parent: QModelIndex = _PARENT) -> int:  # noqa: N802 # Qt's name
        """Return how many objects there are."""
        return 0 if parent.isValid() or self.table is None else len(self.table)

    def columnCount(self, parent: QModelIndex = _PARENT) -> int:  # noqa: N802 # Qt's name
        """Return how many figures each object has, its label included."""
        return 0 if parent.isValid() or self.table is None else 1 + len(self.table.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 # what Qt wants
        """Return the text of a figure, or how it is aligned."""
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        return figure_text(self._column(index.column())[self._order[index.row()]])

    def headerData(  # noqa: N802 # Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401 # what Qt wants
        """Return the title of a column."""
        if self.table is None or orientation != Qt.Orientation.Horizontal:
            return None
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self.table.heading if section == 0 else self.table.columns[section - 1].title

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Show the objects in the order of a column's figures."""
        self.layoutAboutToBeChanged.emit()
        self._sorted_by = (column, order)
        before = [(index, self.place(index.row())) for index in self.persistentIndexList()]
        self._arrange()
        for index, place in before:
            self.changePersistentIndex(index, self.index(int(self._place[place]), index.column()))
        self.layoutChanged.emit()

    def _arrange(self) -> None:
        column, order = self._sorted_by
        if self.table is None or column > len(self.table.columns):
            column = 0
        values = self._column(column)
        self._order = np.argsort(values, kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            self._order = self._order[::-1]
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(self._order))

    def _column(self, column: int) -> Any:  # noqa: ANN401 # an array
        if self.table is None:
            return np.zeros(0)
        return self.table.labels if column == 0 else self.table.columns[column - 1].values


def figure_text(value: Any) -> str:  # noqa: ANN401 # a numpy scalar
    """Return a figure with the digits that matter."""
    if isinstance(value, np.integer):
        return str(int(value))
    number = float(value)
    return f"{number:.0f}" if _WHOLE <= abs(number) < np.inf else f"{number:.4g}"
