"""The list of models as Qt shows it: one row each, painted only when it is on show.

Lives in the Qt main thread.
"""

from collections.abc import Sequence
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QAbstractListModel, QModelIndex, QPoint, QRect, QSize, Qt
from qtpy.QtGui import QFont, QFontMetrics, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from hmz_widgets.plain_text import plain_tooltip
from hmz_widgets.thumbnails import Thumbnails
from napari_hmz.catalogue import Entry, words
from napari_hmz.schema import ModelCard

ENTRY = int(Qt.ItemDataRole.UserRole) + 1
PICTURE_PX = 48
MARGIN_PX = 6
BADGE_PX = 4
LINES = 3
_PARENT = QModelIndex()


class EntryModel(QAbstractListModel):  # type: ignore[misc] # Qt has no types that mypy can follow
    """The entries of the catalogue that a query has found."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: Sequence[Entry] = ()

    def show(self, entries: Sequence[Entry]) -> None:
        """Show these entries instead."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def row_of(self, model: str) -> int:
        """Return the row of a model; -1 if it is not listed."""
        rows = (row for row, entry in enumerate(self.entries) if entry.card.id == model)
        return next(rows, -1)

    def rowCount(self, parent: QModelIndex = _PARENT) -> int:  # noqa: N802 # Qt's name
        """Return how many models were found."""
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 # what Qt wants
        """Return an entry, its name, or what is read out of it."""
        if not index.isValid():
            return None
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return words.one_line(entry.card.name)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return "; ".join(filter(None, (*lines_of(entry), words.badge(entry.card))))
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip("\n".join(filter(None, (entry.card.summary, entry.misfit))))
        return None


def lines_of(entry: Entry) -> tuple[str, str, str]:
    """Return the three lines of a row: name, summary, and what it is or why it does not suit."""
    card = entry.card
    facts = f"{words.facts(card)} · {words.access(card)}"
    last = f"✕ {entry.misfit}" if entry.misfit else facts
    return words.one_line(card.name), words.one_line(card.summary), words.one_line(last)


def badge_of(entry: Entry) -> str:
    """Return the figure of quality that a row ends with.

    It is empty where nothing was measured, and where the room is needed to say why not.
    """
    told = entry.card.quality and not entry.misfit
    return words.one_line(words.badge(entry.card)) if told else ""


class EntryDelegate(QStyledItemDelegate):  # type: ignore[misc] # as above
    """Paints a row: thumbnail, name, summary, and what it is or why it does not suit."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802 # Qt's name
        """Return the size of a row: all are of one height, and as wide as the list."""
        text_px = LINES * QFontMetrics(option.font).lineSpacing()
        return QSize(PICTURE_PX, max(PICTURE_PX, text_px) + 2 * MARGIN_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint a row in the colours of the theme."""
        entry: Entry = index.data(ENTRY)
        option.widget.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
        )
        painter.save()
        inner = option.rect.adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        square = QRect(inner.topLeft(), QSize(PICTURE_PX, PICTURE_PX))
        painter.setOpacity(0.5 if entry.misfit else 1.0)
        self._paint_picture(painter, square, entry.card, option.palette)
        painter.setOpacity(1.0)
        painter.setPen(option.palette.color(_text_role(option)))
        text = inner.adjusted(PICTURE_PX + MARGIN_PX, 0, 0, 0)
        badge_px = _paint_badge(painter, text, option, badge_of(entry))
        _paint_lines(painter, text, option, lines_of(entry), badge_px)
        painter.restore()

    def _paint_picture(
        self, painter: QPainter, square: QRect, card: ModelCard, palette: QPalette
    ) -> None:
        picture = self._thumbnails.picture(card)
        if picture is not None:
            painter.drawPixmap(square, picture)
            return
        painter.save()
        painter.setOpacity(0.5)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.drawRect(square.adjusted(0, 0, -1, -1))
        painter.drawText(square, Qt.AlignmentFlag.AlignCenter, card.name.strip()[:1].upper())
        painter.restore()


def _text_role(option: QStyleOptionViewItem) -> QPalette.ColorRole:
    selected = bool(option.state & QStyle.StateFlag.State_Selected)
    return QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text


def _paint_badge(painter: QPainter, place: QRect, option: QStyleOptionViewItem, badge: str) -> int:
    """Paint a badge at the end of the last line, and return how much room it takes."""
    if not badge:
        return 0
    metrics = QFontMetrics(option.font)
    shown = metrics.elidedText(badge, Qt.TextElideMode.ElideMiddle, place.width() // 2)
    size = QSize(metrics.horizontalAdvance(shown) + 2 * BADGE_PX, metrics.lineSpacing())
    top = place.top() + (LINES - 1) * metrics.lineSpacing()
    frame = QRect(QPoint(place.right() - size.width(), top), size)
    painter.setFont(option.font)
    painter.drawRoundedRect(frame, BADGE_PX, BADGE_PX)
    painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, shown)
    return int(size.width()) + MARGIN_PX


def _paint_lines(
    painter: QPainter,
    place: QRect,
    option: QStyleOptionViewItem,
    lines: Sequence[str],
    badge_px: int,
) -> None:
    for row, line in enumerate(lines):
        font = QFont(option.font)
        font.setBold(row == 0)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        room = place.width() - (badge_px if row == LINES - 1 else 0)
        shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, room)
        top = place.top() + row * metrics.lineSpacing()
        painter.drawText(QPoint(place.left(), top + metrics.ascent()), shown)


class EntryList:
    """The list: emits `looked_at` when another row is current, `chosen` when a person takes it."""

    looked_at = Signal()
    chosen = Signal()

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._model = EntryModel()
        self._delegate = EntryDelegate(thumbnails)
        self.native = QListView()
        self.native.setModel(self._model)
        self.native.setItemDelegate(self._delegate)
        self.native.setUniformItemSizes(True)
        self.native.setAccessibleName("Models")
        self.native.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.native.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.native.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.native.setMinimumHeight(120)
        self.native.selectionModel().currentChanged.connect(self._moved)
        self.native.activated.connect(self._activated)
        thumbnails.arrived.connect(self._repaint)

    def entry(self) -> Entry | None:
        """Return the entry of the current row."""
        row = self.native.currentIndex().row()
        return self._model.entries[row] if 0 <= row < len(self._model.entries) else None

    def show(self, entries: Sequence[Entry]) -> None:
        """List these entries; the current one stays so if it is still there, else the first is."""
        before = self.entry()
        self._model.show(entries)
        row = self._model.row_of(before.card.id) if before is not None else -1
        self.native.setCurrentIndex(self._model.index(max(row, 0), 0))
        if not entries:
            self.looked_at.emit()  # at nothing: Qt tells of no such move

    def look_at(self, model: str) -> None:
        """Make a model the current one; nothing happens if it is not listed."""
        row = self._model.row_of(model)
        if row >= 0:
            self.native.setCurrentIndex(self._model.index(row, 0))
            self.native.scrollTo(self.native.currentIndex())

    def _moved(self, *_: QModelIndex) -> None:
        self.looked_at.emit()

    def _activated(self, _index: QModelIndex) -> None:
        self.chosen.emit()

    def _repaint(self) -> None:
        self.native.viewport().update()
