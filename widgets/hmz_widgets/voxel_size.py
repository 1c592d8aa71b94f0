"""An image's voxel size: told, corrected, and turned into values for the form.

Lives in the Qt main thread; what is said and suggested is decided in `napari_hmz.form.voxels`.
"""

from collections.abc import Mapping
from functools import partial

from psygnal import Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from hmz_widgets.plain_text import plain_tooltip, plain_words
from napari_hmz.form import Suggestion, suggestions, voxel_words
from napari_hmz.schema import AxisName, ModelCard

LARGEST_UM = 1e6


class VoxelSizeView:
    """Tells a voxel size, takes another one, and offers what it suggests at a click.

    Emits `changed` when a person has corrected it, and `suggested` with a parameter's name and
    value.
    """

    changed = Signal()
    suggested = Signal(str, object)

    def __init__(self) -> None:
        self._sizes: dict[AxisName, float] = {}
        self._given: dict[AxisName, float] = {}
        self._words = plain_words()
        self.correct = QToolButton()
        self.correct.setText("Correct …")
        self.correct.setCheckable(True)
        self.correct.setToolTip("Give the voxel size, where the layer's is wrong or not known")
        self.pixel = _box("Width of a pixel in micrometres")
        self.plane = _box("Distance of two planes in micrometres")
        self.native = QWidget()
        self._buttons: list[QPushButton] = []
        self._lay_out()
        for box in (self.pixel, self.plane):
            box.valueChanged.connect(self._corrected)

    def given(self) -> dict[AxisName, float]:
        """Return the extents in micrometres that a person has given, instead of the layer's."""
        return dict(self._given)

    def forget(self) -> None:
        """Take the layer's voxel size again: another layer is chosen."""
        self._given = {}
        for box in (self.pixel, self.plane):
            with signals_blocked(box):
                box.setValue(0.0)
        self.correct.setChecked(False)

    def tell(
        self, card: ModelCard | None, sizes: Mapping[AxisName, float], misfit: str = ""
    ) -> None:
        """Tell the voxel size (in micrometres) and what it means for a model.

        Parameters
        ----------
        misfit
            How it is too far from the model's, if it is.
        """
        self._sizes = dict(sizes)
        self.native.setVisible(card is not None)
        if card is None:
            return
        words = voxel_words(card, self._sizes).replace(" µm", "\u00a0µm")  # no unit by itself
        self._words.setText(f"{words}\n⚠ {misfit}" if misfit else words)
        deep = "z" in card.inputs[0].axes
        self.plane.setVisible(deep)
        self._boxes.labelForField(self.plane).setVisible(deep)
        self._offer(suggestions(card, self._sizes))

    def _offer(self, found: tuple[Suggestion, ...]) -> None:
        for button in self._buttons:
            self._offers.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        for one in found:
            button = QPushButton(f"Set {one.words}".replace("&", "&&"))
            button.setToolTip(plain_tooltip(one.why))
            button.clicked.connect(partial(self._suggest, one))
            self._offers.addWidget(button)
            self._buttons.append(button)

    def _suggest(self, one: Suggestion, _checked: bool = False) -> None:
        self.suggested.emit(one.name, one.value)

    def _corrected(self) -> None:
        given: dict[AxisName, float] = {}
        if self.pixel.value() > 0:
            given |= {"y": self.pixel.value(), "x": self.pixel.value()}
        if self.plane.value() > 0:
            given["z"] = self.plane.value()
        self._given = given
        self.changed.emit()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._words, 1)
        row.addWidget(self.correct)
        below = QWidget()
        self._boxes = QFormLayout(below)
        self._boxes.setContentsMargins(0, 0, 0, 0)
        self._boxes.addRow("Pixel", self.pixel)
        self._boxes.addRow("Plane to plane", self.plane)
        below.hide()
        self.correct.toggled.connect(below.setVisible)
        self._offers = QVBoxLayout()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(below)
        layout.addLayout(self._offers)


def _box(title: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setAccessibleName(title)
    box.setToolTip(title)
    box.setDecimals(4)
    box.setRange(0.0, LARGEST_UM)
    box.setSingleStep(0.1)
    box.setSuffix(" µm")
    box.setSpecialValueText("as the layer says")
    box.setKeyboardTracking(False)
    box.setMinimumWidth(90)
    return box
