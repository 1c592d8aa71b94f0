"""The log of this machine's backend, in a window that follows it.

Lives in the Qt main thread; it reads the last few kilobytes of a local file.
"""

from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDialog, QPlainTextEdit, QVBoxLayout, QWidget

TAIL_BYTES = 64 * 1024
"""As much as a person reads; a log may be large."""
PERIOD_MS = 1000


class LogView(QDialog):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Shows the end of a log file until it is closed."""

    def __init__(self, log: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self._log, self._shown = log, ""
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Log of this machine's backend: {log}")
        self.resize(800, 480)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName("Log")
        QVBoxLayout(self).addWidget(self.text)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.read)
        self._timer.start(PERIOD_MS)
        self.read()

    def read(self) -> None:
        """Show what is new, and stay where the reader is unless that is the end."""
        found = tail(self._log)
        if found == self._shown:
            return
        bar = self.text.verticalScrollBar()
        at_end, place = bar.value() == bar.maximum(), bar.value()
        self._shown = found
        self.text.setPlainText(found)
        bar.setValue(bar.maximum() if at_end else place)


def tail(log: Path) -> str:
    """Return the last lines of a log file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return "There is no log yet."
