"""Whoever cannot see the dock, or sees only a symbol, is told what each part of it is."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QLabel,
    QLineEdit,
    QTabWidget,
    QWidget,
)

OpenZoo = Callable[..., Any]
pytestmark = pytest.mark.gui


def reached(dock: QWidget) -> Iterator[QWidget]:
    """Yield what the tab key leads to and is on show."""
    for widget in dock.findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisibleTo(dock):
            yield widget


def is_named(widget: QWidget, dock: QWidget) -> bool:
    """Return whether it tells what it is, or what it is a part of does, such as a slider's box."""
    labelled = {label.buddy() for label in dock.findChildren(QLabel)}
    part: QWidget | None = widget
    while part is not None:
        words = part.text() if isinstance(part, QAbstractButton) else ""
        if words or part.accessibleName() or part.toolTip() or part in labelled:
            return True
        part = part.parentWidget()
        if isinstance(part, QAbstractScrollArea | QTabWidget):
            return False  # it holds all kinds of things
    return False


def test_each_part_that_the_keyboard_reaches_has_a_name(open_zoo: OpenZoo) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(np.zeros((8, 9), np.uint8), name="cells")
    dock = zoo.dock
    parts = list(reached(dock))
    assert len(parts) > 5
    assert not [
        (type(part).__name__, type(part.parent()).__name__)
        for part in parts
        if not is_named(part, dock)
    ]


def test_a_symbol_says_what_it_does(open_zoo: OpenZoo) -> None:
    symbols = [
        button
        for button in open_zoo().dock.findChildren(QAbstractButton)
        if not button.icon().isNull()
        and not button.text()
        and not isinstance(button.parent(), QLineEdit)  # Qt's own, which empties the line
    ]
    assert symbols
    assert not [type(one.parent()).__name__ for one in symbols if not one.toolTip()]
