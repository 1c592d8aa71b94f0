"""A window that shows a text which is only read, and can be copied.

Lives in the Qt main thread.
"""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QPlainTextEdit, QVBoxLayout, QWidget


class TextView(QDialog):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Shows a text as it is written, until it is closed; Escape closes it."""

    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(560, 480)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName(title)
        self.text.setPlainText(text)
        QVBoxLayout(self).addWidget(self.text)
