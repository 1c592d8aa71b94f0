"""Where the results of a run go: into the viewer alone, or into an OME-Zarr store as well.

Lives in the Qt main thread.
"""

from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from hmz_widgets.icon import give_icon
from hmz_widgets.preferences import preferences


class OutputChoice:
    """A switch, and the path that it asks for. The path is looked at by the client, not here."""

    def __init__(self) -> None:
        self.native = QWidget()
        self.stored = QCheckBox("Write the results as OME-Zarr")
        self.stored.setToolTip("They are shown in any case; what is there is never replaced")
        self.path = QLineEdit()
        self.path.setAccessibleName("Path of the results")
        self.path.setPlaceholderText("results.ome.zarr")
        self.browse = QToolButton()
        give_icon(self.browse, "browse")
        self.browse.setAccessibleName("Browse")
        self.browse.setToolTip("Choose the place")
        self._place = QWidget()
        row = QHBoxLayout(self._place)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stored)
        layout.addWidget(self._place)
        self._place.hide()
        self.stored.toggled.connect(self._place.setVisible)
        self.browse.clicked.connect(self._choose)

    def output(self) -> Path | None:
        """Return where the results are to be written; None: nowhere."""
        if not self.stored.isChecked() or not self.path.text().strip():
            return None
        return preferences().placed(Path(self.path.text().strip()))

    def hindrance(self) -> str:
        """Return what is missing, or nothing."""
        if self.stored.isChecked() and not self.path.text().strip():
            return "Say where the results are to be written."
        return ""

    def _choose(self) -> None:
        start = str(preferences().placed(Path(self.path.text().strip())))
        chosen, _ = QFileDialog.getSaveFileName(
            self.native, "Write the results to", start, "OME-Zarr (*.zarr)"
        )
        if chosen:
            self.path.setText(chosen)
