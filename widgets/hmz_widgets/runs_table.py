"""The runs as Qt's table shows them: one row for each, the newest first."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from hmz_widgets.plain_text import plain_tooltip
from napari_hmz.run_list import RunRow
from napari_hmz.standing import WORDS

TITLES = ("Volume", "Model", "State", "Started", "From")
_PARENT = QModelIndex()


class RunsTable(QAbstractTableModel):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Shows rows; the same runs again change in place, so that nothing loses its selection."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[RunRow, ...] = ()

    def show(self, rows: Sequence[RunRow]) -> bool:
        """Show these rows; False if they are those of the same runs as before."""
        same = [row.run for row in rows] == [row.run for row in self._rows]
        if not same:
            self.beginResetModel()
            self._rows = tuple(rows)
            self.endResetModel()
        elif tuple(rows) != self._rows:
            self._rows = tuple(rows)
            last = self.index(len(rows) - 1, len(TITLES) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
        return not same

    def row(self, place: int) -> RunRow | None:
        """Return the row at a place; none if there is no such place."""
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def place_of(self, run: str) -> int | None:
        """Return where a run stands; none if it is not listed."""
        return next((place for place, row in enumerate(self._rows) if row.run == run), None)

    def rowCount(self, parent: QModelIndex = _PARENT) -> int:  # noqa: N802 # Qt's name
        """Return how many runs there are."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _PARENT) -> int:  # noqa: N802 # Qt's name
        """Return how much is said of each."""
        return 0 if parent.isValid() else len(TITLES)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 # what Qt wants
        """Return the text of a cell, and what is told of its run beside."""
        row = self.row(index.row()) if index.isValid() else None
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _cells(row)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip("\n".join(_told(row)))
        return None

    def headerData(  # noqa: N802 # Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401 # what Qt wants
        """Return the title of a column."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        return TITLES[section]


def _cells(row: RunRow) -> tuple[str, ...]:
    going, state = "cancel" in row.actions, row.state
    if going and row.percent:  # a number alone: it computes, as it should; the column is narrow
        is_plain = state == WORDS["computing"]
        state = f"{row.percent} %" if is_plain else f"{row.percent} %, {state}"
    model = row.model.partition(" ")[0]  # the version is told beside
    return (row.volume, model, state, row.age, row.started_by.removeprefix("the "))


def _told(row: RunRow) -> list[str]:
    """Return what a tooltip says: a narrow dock cuts the cells."""
    return [
        f"{row.model} on {row.volume}",
        f"{row.state}, {row.detail}",
        f"started {row.started} from {row.started_by}",
        f"run {row.run}",
    ]
