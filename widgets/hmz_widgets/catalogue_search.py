"""What is looked for in the catalogue: a line to type into, and boxes for what can be told apart.

Lives in the Qt main thread.
"""

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_hmz.catalogue import Facets, Query

_LIST_KEYS = frozenset({Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})


class SearchLine(QLineEdit):  # type: ignore[misc] # Qt has no types that mypy can follow
    """A line whose arrow keys move in a list, so that the hands stay where they are."""

    def __init__(self, moved: QWidget) -> None:
        super().__init__()
        self._moved = moved
        self.setClearButtonEnabled(True)
        self.setPlaceholderText("Search models")
        self.setAccessibleName("Search models")

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 # Qt's name
        """Hand the keys that move in a list to the list."""
        if event.key() in _LIST_KEYS:
            QCoreApplication.sendEvent(self._moved, event)
        else:
            super().keyPressEvent(event)


class CatalogueSearch:
    """The line and the boxes; emits `changed` with every letter, `entered` at the enter key.

    Parameters
    ----------
    moved
        The list that the arrow keys of the line move in.
    """

    changed = Signal()
    entered = Signal()

    def __init__(self, moved: QWidget) -> None:
        self.line = SearchLine(moved)
        self.task = _Choice("Task", "Any task")
        self.dimensions = _Choice("Dimensions", "2-D, 3-D")
        self.modality = _Choice("Modality", "Any modality")
        self.measured = QCheckBox("Measured")
        self.measured.setToolTip("Only models whose quality was measured")
        self.fitting = QCheckBox("Fits the layer")
        self.fitting.setToolTip("Only models that the chosen layer can feed")
        self.native = QWidget()
        self._lay_out()
        self._wire_up()

    def query(self) -> Query:
        """Return what is looked for."""
        dimensions = self.dimensions.value()
        return Query(
            words=self.line.text(),
            task=self.task.value(),
            dimensions=int(dimensions) if dimensions else None,
            modality=self.modality.value(),
            measured=self.measured.isChecked(),
            fitting=self.fitting.isChecked() and self.fitting.isEnabled(),
        )

    def offer(self, facets: Facets) -> None:
        """Offer what is worth asking for; a box with nothing to tell apart is hidden."""
        self.task.offer([(task.replace("-", " "), task) for task in facets.tasks])
        self.dimensions.offer([(f"{count}-D", str(count)) for count in facets.dimensions])
        self.modality.offer([(modality, modality) for modality in facets.modalities])

    def offer_fitting(self, *, offered: bool) -> None:
        """Let a person ask for what fits the layer, if there is one."""
        self.fitting.setEnabled(offered)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        for row in (
            (self.task.native, self.dimensions.native, self.modality.native),
            (self.fitting, self.measured),
        ):
            line = QHBoxLayout()
            for widget in row:
                line.addWidget(widget)
            layout.addLayout(line)

    def _wire_up(self) -> None:
        self.line.textChanged.connect(self._emit_changed)
        self.line.returnPressed.connect(self._emit_entered)
        for choice in (self.task, self.dimensions, self.modality):
            choice.native.currentIndexChanged.connect(self._emit_changed)
        for switch in (self.measured, self.fitting):
            switch.toggled.connect(self._emit_changed)

    def _emit_changed(self, *_: object) -> None:
        self.changed.emit()

    def _emit_entered(self) -> None:
        self.entered.emit()


class _Choice:
    """A box of which the first entry stands for anything."""

    def __init__(self, title: str, anything: str) -> None:
        self._anything = anything
        self._values: list[str] = []
        self.native = QComboBox()
        self.native.setAccessibleName(title)
        self.native.setToolTip(title)
        self.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.native.setMinimumWidth(70)
        self.offer([])

    def value(self) -> str | None:
        """Return what is chosen; None: anything."""
        index = self.native.currentIndex() - 1
        return self._values[index] if 0 <= index < len(self._values) else None

    def offer(self, entries: Sequence[tuple[str, str]]) -> None:
        """Offer entries (shown, meant); the chosen one stays so if it is still there."""
        before = self.value()
        self._values = [value for _, value in entries]
        with signals_blocked(self.native):
            self.native.clear()
            self.native.addItems([self._anything, *(shown for shown, _ in entries)])
            if before in self._values:
                self.native.setCurrentIndex(1 + self._values.index(before))
        self.native.setVisible(len(entries) > 1)
