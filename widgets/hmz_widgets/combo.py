"""A combo box for a narrow dock, that holds values and not only words."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy
from superqt.utils import signals_blocked

T = TypeVar("T")


class ValueCombo(Generic[T]):
    """Offers values by their words; emits `changed` when a person chooses another one."""

    changed = Signal()

    def __init__(self, title: str, tooltip: str = "") -> None:
        self._values: list[T] = []
        self.native = QComboBox()
        self.native.setAccessibleName(title)
        self.native.setToolTip(tooltip)
        self.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.native.setMinimumWidth(70)
        self.native.currentIndexChanged.connect(self._chosen)

    def value(self) -> T | None:
        """Return the chosen value; None if there is nothing to choose."""
        index = self.native.currentIndex()
        return self._values[index] if 0 <= index < len(self._values) else None

    def offer(self, values: Sequence[T], words: Sequence[str], chosen: T | None = None) -> None:
        """Offer values without emitting `changed`; the first is chosen if `chosen` is not there."""
        self._values = list(values)
        with signals_blocked(self.native):
            self.native.clear()
            self.native.addItems(list(words))
        self.show(chosen)

    def show(self, chosen: T | None) -> None:
        """Choose a value without emitting `changed`."""
        with signals_blocked(self.native):
            self.native.setCurrentIndex(
                self._values.index(chosen) if chosen in self._values else min(0, len(self) - 1)
            )

    def __len__(self) -> int:
        return len(self._values)

    def _chosen(self) -> None:
        self.changed.emit()
