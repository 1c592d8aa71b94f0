"""The log of this machine's backend, in a window that follows it.

Lives in the Qt main thread; workers read the last few kilobytes of the file.
"""

from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDialog, QPlainTextEdit, QVBoxLayout, QWidget

from hmz_widgets.bridge import Bridge

TAIL_BYTES = 64 * 1024
"""As much as a person reads; a log may be large."""
PERIOD_MS = 1000


class LogView(QDialog):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Shows the end of a log file until it is closed.

    Parameters
    ----------
    log
        The file.
    bridge
        Carries out the reading.
    parent
        The widget that it belongs to.
    """

    def __init__(self, log: Path, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._log, self._bridge = log, bridge
        self._shown, self._is_reading, self._is_closed = "", False, False
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
        self.finished.connect(self._close)
        self.read()

    def read(self) -> None:
        """Read what is new, unless that goes on already."""
        if self._is_reading:
            return
        self._is_reading = True
        self._bridge.call(
            partial(tail, self._log), done=self._show_text, failed=_ignore, ended=self._have_read
        )

    def _have_read(self) -> None:
        self._is_reading = False

    def _close(self, _result: int) -> None:
        self._is_closed = True

    def _show_text(self, found: str) -> None:
        """Show a text, and stay where the reader is unless that is the end."""
        if self._is_closed or found == self._shown:
            return
        bar = self.text.verticalScrollBar()
        at_end, place = bar.value() == bar.maximum(), bar.value()
        self._shown = found
        self.text.setPlainText(found)
        bar.setValue(bar.maximum() if at_end else place)


def tail(log: Path) -> str:
    """Return the last lines of a log file (in a worker)."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return "There is no log yet."


def _ignore(_error: object) -> None:
    return
