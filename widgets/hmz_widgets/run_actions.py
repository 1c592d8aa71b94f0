"""What can be done with the chosen run: one set of actions for buttons, context menu and keys.

Lives in the Qt main thread.
"""

from functools import partial

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QAction, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_hmz.run_list import RunRow

_LOAD = ("Load", "Fetch the outputs, and show them as layers")
_LOAD_PART = ("Load", "Fetch what is done of the outputs, and show it as layers")
_ATTACH = ("Attach", "Show what is done, and let the layers grow with the run")


class RunActions:
    """Actions, and the buttons that show them.

    Emits `wanted` with the word of the action that was triggered: `open` (attach or load),
    `retry`, `cancel`, `remove`, `provenance`, `python`, `shell`.
    """

    wanted = Signal(str)

    def __init__(self) -> None:
        self.native = QWidget()
        self.open = self._action("open", *_ATTACH)
        self.retry = self._action("retry", "Retry", "Go on from what is finished of the run")
        self.cancel = self._action("cancel", "Cancel", "Stop the run; what is done stays")
        self.provenance = self._action(
            "provenance", "Provenance", "Show all that is needed to repeat the run"
        )
        self.remove = self._action(
            "remove", "Remove", "Remove the run and its outputs from the backend"
        )
        self.remove.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self.remove.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.python = self._action("python", "Copy as Python", "Lines that do the same run again")
        self.shell = self._action(
            "shell", "Copy as command", "A command for the shell that does the same run again"
        )
        self._lay_out()
        self.suit(None)

    def all(self) -> list[QAction]:
        """Return the actions in the order of a menu."""
        return [*self._doing(), *self._telling()]

    def suit(self, row: RunRow | None) -> None:
        """Let be done what can be done with a run; None: no run is chosen."""
        can = row.actions if row is not None else frozenset()
        words, tip = _ATTACH
        if "load" in can:
            words, tip = _LOAD_PART if "retry" in can else _LOAD
        self.open.setText(words)
        self.open.setToolTip(tip)
        self.open.setEnabled(row is not None and row.opening is not None)
        self.retry.setEnabled("retry" in can)
        self.cancel.setEnabled("cancel" in can)
        self.remove.setEnabled("remove" in can)
        for action in self._telling():
            action.setEnabled(row is not None)

    def _doing(self) -> list[QAction]:
        return [self.open, self.cancel, self.retry, self.remove]

    def _telling(self) -> list[QAction]:
        return [self.python, self.shell, self.provenance]

    def _action(self, word: str, text: str, tip: str) -> QAction:
        action = QAction(text, self.native)
        action.setToolTip(tip)
        action.triggered.connect(lambda: self.wanted.emit(word))
        return action

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self.native)
        rows.setContentsMargins(0, 0, 0, 0)
        for actions in (self._doing(), [self.python, self.shell], [self.provenance]):
            row = QHBoxLayout()
            rows.addLayout(row)
            for action in actions:
                button = QPushButton()
                button.clicked.connect(action.trigger)
                action.changed.connect(partial(_show, action, button))
                _show(action, button)
                row.addWidget(button)


def _show(action: QAction, button: QPushButton) -> None:
    """Let a button say what its action says: Qt has this for tool buttons only."""
    button.setText(action.text())
    button.setToolTip(action.toolTip())
    button.setEnabled(action.isEnabled())
