"""The axes of an image: proposed, and corrected as a whole or one by one.

Lives in the Qt main thread.
"""

from functools import partial

from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from hmz_widgets.combo import ValueCombo
from napari_hmz.catalogue import ImageDescription
from napari_hmz.form import proposed_axes, with_axis
from napari_hmz.schema import AXIS_ORDER, Axes, AxisName, InputSpec

WORDS: dict[AxisName, str] = {
    "t": "t, time",
    "c": "c, channel",
    "z": "z, depth",
    "y": "y, row",
    "x": "x, column",
}


class AxesChoice:
    """Offers the orders that an image's axes may have, and each axis by itself.

    Emits `changed` when a person has chosen others.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._image: ImageDescription | None = None
        self._likely: Axes | None = None
        self._offers: tuple[Axes, ...] = ()
        self._whole: ValueCombo[Axes] = ValueCombo(
            "Axes", "What the dimensions of the image are, outermost first"
        )
        self._single: list[ValueCombo[AxisName]] = []
        self.each = QToolButton()
        self.each.setText("…")
        self.each.setCheckable(True)
        self.each.setToolTip("Say of each dimension what it is")
        self.each.setAccessibleName("Correct single axes")
        self.native = QWidget()
        self._lay_out()
        self._whole.changed.connect(self._whole_chosen)

    def value(self) -> Axes | None:
        """Return the axes; None if the image has too many."""
        return self._whole.value()

    @property
    def open(self) -> bool:
        """Whether there is anything to choose."""
        return len(self._offers) > 1

    def offer(
        self,
        image: ImageDescription | None,
        spec: InputSpec | None,
        likely: Axes | None = None,
    ) -> None:
        """Offer the axes of an image for an input; a choice stays while the image does.

        Parameters
        ----------
        likely
            What is proposed; None: the first of those that may be.
        """
        before = self.value() if image == self._image and likely == self._likely else likely
        self._likely = likely
        self._image = image
        self._offers = () if image is None or spec is None else _offers(image, spec)
        if before is not None and before not in self._offers:
            self._offers = (*self._offers, before)
        self._show(before)
        self._list_single()

    def _show(self, chosen: Axes | None) -> None:
        self._whole.offer(self._offers, [", ".join(axes) for axes in self._offers], chosen)

    def _list_single(self) -> None:
        while self._places.rowCount():
            self._places.removeRow(0)
        axes, image = self.value(), self._image
        self._single = []
        if axes is None or image is None:
            return
        for place, axis in enumerate(axes):
            combo: ValueCombo[AxisName] = ValueCombo(f"Dimension {place + 1}")
            combo.offer(AXIS_ORDER, [WORDS[name] for name in AXIS_ORDER], axis)
            combo.native.setEnabled(not (image.rgb and place == len(axes) - 1))
            combo.changed.connect(partial(self._single_chosen, place))
            self._single.append(combo)
            self._places.addRow(f"{image.shape[place]} long", combo.native)

    def _whole_chosen(self) -> None:
        axes = self.value()
        for place, combo in enumerate(self._single):
            combo.show(axes[place] if axes else None)
        self.changed.emit()

    def _single_chosen(self, place: int) -> None:
        axes, axis = self.value(), self._single[place].value()
        if axes is None or axis is None:
            return
        chosen = with_axis(axes, place, axis)
        if chosen not in self._offers:
            self._offers = (*self._offers, chosen)
        self._show(chosen)
        self._whole_chosen()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._whole.native, 1)
        row.addWidget(self.each)
        below = QWidget()
        self._places = QFormLayout(below)
        self._places.setContentsMargins(0, 0, 0, 0)
        below.hide()
        self.each.toggled.connect(below.setVisible)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(below)


def _offers(image: ImageDescription, spec: InputSpec) -> tuple[Axes, ...]:
    """Return the orders that may be: the colours of an RGB image stand last, and only there."""
    offers = proposed_axes(image.shape, image.labels, spec, image.units)
    return tuple(axes for axes in offers if not image.rgb or axes[-1] == "c")
