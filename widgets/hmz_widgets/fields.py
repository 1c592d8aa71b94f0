"""Field specification to widget: one small view per kind of field.

Everything here lives in the Qt main thread. A view holds its Qt widget as `native`, gives and takes
a value, and emits `changed` when a person (not `show`) has changed it.
"""

from typing import Any, Protocol

from magicgui.widgets import create_widget
from psygnal import Signal, SignalInstance
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QHBoxLayout,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider
from superqt.utils import signals_blocked

from hmz_widgets.plain_text import plain_tooltip
from napari_hmz.form import Field, NumberLine, parse_text
from napari_hmz.form.text import write_text
from napari_hmz.schema import ParameterValue

SLIDER_STEPS = 1000
"""How finely a slider can be set; the box beside it is exact."""


class FieldView(Protocol):
    """What the form asks of every field."""

    @property
    def native(self) -> QWidget:
        """The Qt widget."""

    @property
    def changed(self) -> SignalInstance:
        """Emitted without arguments when the person has changed the value."""

    def value(self) -> ParameterValue:
        """Return the value as it stands."""

    def show(self, value: ParameterValue) -> None:
        """Take a value without emitting `changed`."""


def field_view(field: Field) -> FieldView:
    """Return the view of a field; "no value" gets a switch where it is an answer."""
    view = _plain_view(field)
    if field.spec.optional and field.kind in ("number", "integer", "range"):
        view = OptionalView(field, view)
    view.native.setToolTip(plain_tooltip(field.tooltip))
    view.native.setAccessibleName(field.label)
    return view


def _plain_view(field: Field) -> FieldView:
    if field.kind in ("number", "integer"):
        return NumberView(field)
    if field.kind == "range":
        return RangeView(field)
    if field.kind == "boolean":
        return CheckView(field)
    return ChoiceView(field) if field.kind == "choice" else TextView(field)


class NumberView:
    """A number: an exact box, and a slider where both ends are known."""

    changed = Signal()

    def __init__(self, field: Field) -> None:
        self._line = _line(field)
        self._whole = field.kind == "integer"
        self._box = _number_box(self._line, whole=self._whole)
        self._slider = _slider() if self._line.bounded else None
        self.native = _column(self._box.native, self._slider)
        self.show(field.start)
        self._box.changed.connect(self._box_moved)
        if self._slider is not None:
            self._slider.valueChanged.connect(self._slider_moved)

    def value(self) -> ParameterValue:
        """Return the number in the box."""
        return int(self._box.value) if self._whole else float(self._box.value)

    def show(self, value: ParameterValue) -> None:
        """Show a number; what is none shows the lowest."""
        number = self._line.clamp(_number(value, self._line.low))
        with self._box.changed.blocked():
            self._box.value = round(number) if self._whole else number
        self._place(number)

    def _box_moved(self) -> None:
        self._place(float(self._box.value))
        self.changed.emit()

    def _slider_moved(self, place: int) -> None:
        value = self._line.value_at(place / SLIDER_STEPS)
        with self._box.changed.blocked():
            self._box.value = round(value) if self._whole else value
        self.changed.emit()

    def _place(self, number: float) -> None:
        if self._slider is not None:
            with signals_blocked(self._slider):
                self._slider.setValue(round(self._line.place(number) * SLIDER_STEPS))


class RangeView:
    """A pair of numbers: two exact boxes, and a slider with two handles where it makes sense."""

    changed = Signal()

    def __init__(self, field: Field) -> None:
        self._line = _line(field)
        self._low, self._high = (_number_box(self._line, whole=False) for _ in range(2))
        for box in (self._low, self._high):  # without arrows, so that both fit into a narrow dock
            box.native.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            box.native.setMinimumWidth(45)
        self._slider = self._range_slider() if self._line.bounded else None
        boxes = _row(self._low.native, self._high.native, stretch=(1, 1))
        self.native = _column(boxes, self._slider)
        self.show(field.start)
        for box in (self._low, self._high):
            box.changed.connect(self._box_moved)
        if self._slider is not None:
            self._slider.valueChanged.connect(self._slider_moved)

    def value(self) -> ParameterValue:
        """Return the pair as it stands; it may be upside down."""
        return (float(self._low.value), float(self._high.value))

    def show(self, value: ParameterValue) -> None:
        """Show a pair; what is none shows the whole line."""
        pair = value if isinstance(value, tuple | list) else (self._line.low, self._line.high)
        for box, end in zip((self._low, self._high), pair, strict=True):
            with box.changed.blocked():
                box.value = self._line.clamp(float(end))
        self._place()

    def _range_slider(self) -> Any:  # noqa: ANN401 # superqt has no types that mypy can follow
        slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        slider.setRange(0.0, 1.0)
        return slider

    def _box_moved(self) -> None:
        self._place()
        self.changed.emit()

    def _slider_moved(self, places: tuple[float, float]) -> None:
        for box, place in zip((self._low, self._high), places, strict=True):
            with box.changed.blocked():
                box.value = self._line.value_at(place)
        self.changed.emit()

    def _place(self) -> None:
        if self._slider is not None:
            places = sorted(self._line.place(float(box.value)) for box in (self._low, self._high))
            with signals_blocked(self._slider):
                self._slider.setValue(tuple(places))


class CheckView:
    """A truth value."""

    changed = Signal()

    def __init__(self, field: Field) -> None:
        self._box = create_widget(value=field.start is True, widget_type="CheckBox")
        self.native = self._box.native
        self._box.changed.connect(self._box_moved)

    def value(self) -> ParameterValue:
        """Return whether it is checked."""
        return bool(self._box.value)

    def show(self, value: ParameterValue) -> None:
        """Check it if `value` is true."""
        with self._box.changed.blocked():
            self._box.value = value is True

    def _box_moved(self) -> None:
        self.changed.emit()


class ChoiceView:
    """One of several values, shown by their labels; "no value" is one more if it is an answer."""

    changed = Signal()

    def __init__(self, field: Field) -> None:
        self._values: list[ParameterValue] = [choice.value for choice in field.choices]
        labels = [choice.label or str(choice.value) for choice in field.choices]
        if field.spec.optional:
            self._values.insert(0, None)
            labels.insert(0, "No value")
        choices = list(zip(_distinct(labels), range(len(labels)), strict=True))
        self._box = create_widget(
            value=0, widget_type="ComboBox", options={"choices": choices, "nullable": False}
        )
        self.native = self._box.native
        self.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.show(field.start)
        self._box.changed.connect(self._box_moved)

    def value(self) -> ParameterValue:
        """Return the chosen value, of the type that the card gives it."""
        return self._values[int(self._box.value)]

    def show(self, value: ParameterValue) -> None:
        """Choose a value; one that is not offered leaves the choice alone."""
        if value in self._values:
            with self._box.changed.blocked():
                self._box.value = self._values.index(value)

    def _box_moved(self) -> None:
        self.changed.emit()


class TextView:
    """Text, and every kind of value that has no widget of its own."""

    changed = Signal()

    def __init__(self, field: Field) -> None:
        self._spec = field.spec
        self._box = create_widget(value=write_text(field.start), widget_type="LineEdit")
        self.native = self._box.native
        self._box.changed.connect(self._box_moved)

    def value(self) -> ParameterValue:
        """Return what the text stands for."""
        return parse_text(self._spec, str(self._box.value))

    def show(self, value: ParameterValue) -> None:
        """Write a value."""
        with self._box.changed.blocked():
            self._box.value = write_text(value)

    def _box_moved(self) -> None:
        self.changed.emit()


class OptionalView:
    """A field that may be left open: a switch before it."""

    changed = Signal()

    def __init__(self, field: Field, inner: FieldView) -> None:
        self._inner = inner
        self._switch = QCheckBox()
        self._switch.setAccessibleName(f"Set {field.label}")
        self.native = _row(self._switch, inner.native, stretch=(0, 1))
        self.show(field.start)
        self._switch.toggled.connect(self._switched)
        inner.changed.connect(self._inner_changed)

    def value(self) -> ParameterValue:
        """Return the inner value, or None if it is left open."""
        return self._inner.value() if self._switch.isChecked() else None

    def show(self, value: ParameterValue) -> None:
        """Switch on and show a value, or switch off for None."""
        with signals_blocked(self._switch):
            self._switch.setChecked(value is not None)
        self._inner.native.setEnabled(value is not None)
        if value is not None:
            self._inner.show(value)

    def _switched(self, on: bool) -> None:
        self._inner.native.setEnabled(on)
        self.changed.emit()

    def _inner_changed(self) -> None:
        self.changed.emit()


def _line(field: Field) -> NumberLine:
    if field.line is None:
        raise TypeError(f"{field.name}: a field of kind {field.kind} has a number line")
    return field.line


def _number_box(line: NumberLine, *, whole: bool) -> Any:  # noqa: ANN401 # magicgui is untyped here
    """Return a spin box over a number line that shows all its decimals and may be narrow."""
    ends = (round(line.low), round(line.high)) if whole else (line.low, line.high)
    box = create_widget(
        value=ends[0],
        widget_type="SpinBox" if whole else "FloatSpinBox",
        options={"min": ends[0], "max": ends[1]},
    )
    if not whole:
        box.native.setDecimals(line.decimals)
    box.step = max(1, round(line.step)) if whole else line.step
    box.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.native.setMinimumWidth(70)
    return box


def _slider() -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, SLIDER_STEPS)
    slider.setPageStep(SLIDER_STEPS // 20)
    slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return slider


def _row(*widgets: QWidget, stretch: tuple[int, ...]) -> QWidget:
    """Return widgets side by side."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget, share in zip(widgets, stretch, strict=True):
        layout.addWidget(widget, share)
    return row


def _column(box: QWidget, slider: QWidget | None) -> QWidget:
    """Return a box with the slider below it, if there is one: docks are narrow."""
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(box)
    if slider is not None:
        layout.addWidget(slider)
    return column


def _distinct(labels: list[str]) -> list[str]:
    """Return labels that differ, which a combo box needs: those that stand twice get a number."""
    return [
        f"{label} ({labels[: i + 1].count(label)})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]


def _number(value: ParameterValue, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
