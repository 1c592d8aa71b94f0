"""The form of a model as widgets: fields with labels, faults below them, an advanced section.

Lives in the Qt main thread. All it knows of a model is its `Form`.
"""

from collections.abc import Mapping
from functools import partial

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from hmz_widgets.fields import FieldView, field_view
from hmz_widgets.icon import give_icon
from hmz_widgets.plain_text import plain_tooltip
from napari_hmz.form import Field, Form
from napari_hmz.schema import ParameterValue


class FormView:
    """The fields of a form.

    Emits `changed` when the person has changed a value.
    """

    changed = Signal()

    def __init__(self, form: Form) -> None:
        self.form = form
        self.native = QWidget()
        self._rows = {field.name: _Row(field) for field in form.fields}
        self._lay_out()
        for name, row in self._rows.items():
            row.view.changed.connect(self._row_changed)
            row.back.clicked.connect(partial(self._reset_one, name))
        self._refresh()

    def values(self) -> dict[str, ParameterValue]:
        """Return what every field holds, hidden ones included."""
        return {name: row.view.value() for name, row in self._rows.items()}

    def show(self, values: Mapping[str, ParameterValue]) -> None:
        """Take values without emitting `changed`; names that the form lacks are left out."""
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].view.show(value)
        self._refresh()

    def take(self, values: Mapping[str, ParameterValue]) -> None:
        """Take values as if the person had set them."""
        self.show(values)
        self.changed.emit()

    def faults(self) -> dict[str, str]:
        """Return what is wrong with each value that cannot be used."""
        return self.form.faults(self.values())

    def reset(self) -> None:
        """Show what the card proposes."""
        self.take(self.form.start())

    def _reset_one(self, name: str, _checked: bool = False) -> None:
        self.take({name: self._rows[name].field.start})

    def _row_changed(self) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        """Hide what does not matter, and say below each field what is wrong with it."""
        values = self.values()
        visible = self.form.visible(values)
        faults = self.form.faults(values)
        for name, row in self._rows.items():
            row.say(faults.get(name, ""), shown=name in visible)
            row.back.setVisible(values[name] != row.field.start)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        plain = [row for row in self._rows.values() if not row.field.spec.advanced]
        advanced = [row for row in self._rows.values() if row.field.spec.advanced]
        layout.addWidget(_grid(plain))
        self._sections = [_Section("Advanced", _grid(advanced))] if advanced else []
        for section in self._sections:
            layout.addWidget(section.native)
        if self._rows:
            layout.addWidget(self._reset_button(), alignment=Qt.AlignmentFlag.AlignRight)

    def _reset_button(self) -> QPushButton:
        button = QPushButton("Reset")
        button.setToolTip("Set every field to what the model proposes")
        button.clicked.connect(self.reset)
        return button


class _Row:
    """A field with its label and the place for its fault."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.view: FieldView = field_view(field)
        self.label = _text(field.label)
        self.label.setToolTip(plain_tooltip(field.tooltip))
        self.fault = _text("")
        self.back = _reset_button(field)
        self.native = QWidget()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        line = QHBoxLayout()
        line.addWidget(self.view.native, 1)
        line.addWidget(self.back, alignment=Qt.AlignmentFlag.AlignTop)
        layout.addLayout(line)
        layout.addWidget(self.fault)

    def say(self, fault: str, *, shown: bool) -> None:
        """Show or hide the row, and below it its fault, else what is to be known of the field."""
        self.label.setVisible(shown)
        self.native.setVisible(shown)
        self.fault.setText(f"⚠ {fault}" if fault else self.field.note)
        self.fault.setVisible(bool(self.fault.text()))


class _Section:
    """A part of the form that opens at a click."""

    def __init__(self, title: str, content: QWidget) -> None:
        self._title, self._content = title, content
        self._button = QToolButton()
        self._button.setCheckable(True)
        self._button.setAutoRaise(True)
        self._button.toggled.connect(self._toggle)
        self.native = QWidget()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(content)
        self._toggle(False)

    def _toggle(self, opened: bool) -> None:
        self._button.setText(f"{'▾' if opened else '▸'} {self._title}")
        self._content.setVisible(opened)


def _grid(rows: list[_Row]) -> QWidget:
    grid = QWidget()
    layout = QFormLayout(grid)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for row in rows:
        layout.addRow(row.label, row.native)
    return grid


def _reset_button(field: Field) -> QToolButton:
    """Return what brings back the card's value; it keeps its place while it is hidden."""
    button = QToolButton()
    give_icon(button, "reset")
    button.setAutoRaise(True)
    button.setToolTip("Set what the model proposes")
    button.setAccessibleName(f"Reset {field.label}")
    policy = button.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    button.setSizePolicy(policy)
    button.hide()
    return button


def _text(text: str) -> QLabel:
    """Return a label that shows text as it is written: a card comes from strangers."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
