"""The question whether a run shall really be removed, below the list.

Lives in the Qt main thread.
"""

from psygnal import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from hmz_widgets.status import plain_label
from napari_hmz.run_list import RunRow


class RunRemoval:
    """Asks, and emits `agreed` with the run's id if the person agrees."""

    agreed = Signal(str)

    def __init__(self) -> None:
        self.run = ""
        """The run that is asked about; empty: none."""
        self.native = QWidget()
        self._words = plain_label()
        self.yes, self.no = QPushButton("Remove"), QPushButton("Keep")
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._words)
        row = QHBoxLayout()
        row.addWidget(self.yes)
        row.addWidget(self.no)
        layout.addLayout(row)
        self.yes.clicked.connect(self._agree)
        self.no.clicked.connect(self.drop)
        self.native.hide()

    def ask(self, row: RunRow) -> None:
        """Ask whether this run shall go."""
        self.run = row.run
        self._words.setText(
            f"Remove the run of {row.model} on {row.volume}, started {row.age}? Its outputs on the"
            " backend go with it; layers and stores on this machine stay."
        )
        self.native.show()
        self.no.setFocus()

    def drop(self) -> None:
        """Ask no more."""
        self.run = ""
        self.native.hide()

    def _agree(self) -> None:
        run = self.run
        self.drop()
        if run:
            self.agreed.emit(run)
