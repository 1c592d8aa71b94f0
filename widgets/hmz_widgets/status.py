"""How far a run is, and what went wrong: a bar, a line, and a message with its remedy.

Lives in the Qt main thread.
"""

import re
from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_hmz.counts import counts_of
from napari_hmz.errors import HmzError
from napari_hmz.forecast import Forecast, rows
from napari_hmz.quantities import count_text, size_text, time_text
from napari_hmz.schema import Run
from napari_hmz.standing import Standing

PAUSE_MS = 250
"""Between two standings that are shown: any change has the whole window drawn again."""
FOR_SHELLS = re.compile(r"\s*\((?:--[\w-]+|in a shell:[^)]*)\)")
"""Remedies say in brackets what is to be typed in a shell, which means nothing in a window."""
_FIGURES = ("blocks", "to send", "to fetch", "memory", "time", "queue")
_UPLOADING = frozenset({"link", "reading"})


class StatusView:
    """Progress bar, status line, a button for what can be done next, and message."""

    def __init__(self) -> None:
        self.native = QWidget()
        self._waiting: Standing | None = None
        self._pause = QTimer(self.native)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._catch_up)
        self._bar = QProgressBar()
        self._line = plain_label()
        self._message = plain_label()
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message.setFrameShape(QFrame.Shape.StyledPanel)
        self._message.setMargin(6)
        self.next_button = QPushButton()
        self._next: Callable[[], None] | None = None
        self.next_button.clicked.connect(self._go_on)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._bar, self._line, self.next_button, self._message):
            layout.addWidget(widget)
            widget.hide()

    @property
    def line(self) -> str:
        """What the status line says."""
        return str(self._line.text())

    @property
    def message(self) -> str:
        """What the message says; empty without one."""
        return str(self._message.text())

    def busy(self, line: str) -> None:
        """Show that something is going on whose end is not known, and forget older trouble."""
        self._fill_bar(0, 0)
        self.say(line)
        self._tell("")
        self.withdraw()

    def advance(self, standing: Standing) -> None:
        """Show where the run stands: at once, or after a pause if another was just shown."""
        self._waiting = standing
        if not self._pause.isActive():
            self._catch_up()

    def count(self, done: int, total: int, line: str) -> None:
        """Show how much of a piece of work is done."""
        self._fill_bar(done, total)
        self.say(line)

    def say(self, line: str) -> None:
        """Show one line."""
        self._waiting = None
        self._line.setText(line)
        self._line.setVisible(bool(line))

    def rest(self, line: str = "") -> None:
        """Show that nothing is going on."""
        self._bar.hide()
        self.say(line)

    def offer(self, words: str, tip: str, deed: Callable[[], None]) -> None:
        """Offer what can be done next, until something else goes on."""
        self._next = deed
        self.next_button.setText(words)
        self.next_button.setToolTip(tip)
        self.next_button.show()

    def withdraw(self) -> None:
        """Offer it no more."""
        self._next = None
        self.next_button.hide()

    def foretell(self, found: Forecast, *burdens: str) -> None:
        """Show what a run would take, and what makes it heavy if it is."""
        self.rest("Shall it start?" if burdens else "")
        self._tell("\n".join([*forecast_lines(found), *(f"⚠ {burden}" for burden in burdens)]))

    def note(self, texts: Sequence[str]) -> None:
        """Show what the person should know, beside whatever goes on."""
        self._tell("\n".join(f"⚠ {text}" for text in texts))

    def fail(self, error: HmzError) -> None:
        """Show what went wrong and what to do about it."""
        self.rest()
        self._tell(error_text(error))

    def _go_on(self) -> None:
        if self._next is not None:
            self._next()

    def _catch_up(self) -> None:
        """Show the newest standing, if there is one that has not been shown."""
        standing, self._waiting = self._waiting, None
        if standing is None:
            return
        if standing.blocks_total:
            self._fill_bar(standing.blocks_done, standing.blocks_total)
        self._bar.show()
        self.say(standing_line(standing))
        self._pause.start()

    def _fill_bar(self, done: int, total: int) -> None:
        """Fill the bar without `setValue` drawing it, and with it the whole window, right away."""
        self._bar.setUpdatesEnabled(False)
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        self._bar.setUpdatesEnabled(True)
        self._bar.show()

    def _tell(self, message: str) -> None:
        self._message.setText(message)
        self._message.setVisible(bool(message))


def standing_line(standing: Standing) -> str:
    """Return where a run stands, in words: only what is known."""
    blocks = f"{standing.blocks_done} of {standing.blocks_total} blocks"
    parts = [blocks] if standing.blocks_total else []
    rate = ""
    if standing.doing in _UPLOADING and standing.bytes_up_per_s:
        rate = f"{size_text(standing.bytes_up_per_s)}/s sent"
    elif standing.voxels_per_s is not None:
        rate = f"{count_text(standing.voxels_per_s)} voxels/s"
    said = standing.doing == "computing" and rate  # it is seen from the rate
    parts += [part for part in ("" if said else standing.words, rate) if part]
    if standing.wait_s is not None:
        parts.append(f"begins in about {time_text(standing.wait_s)}")
    if standing.seconds_left is not None:
        parts.append(f"{time_text(standing.seconds_left)} left")
    return " · ".join(parts)


def forecast_lines(found: Forecast) -> list[str]:
    """Return what a run would take, a line for each figure that matters in a window."""
    figures = rows(found)
    told = [f"{name}: {figures[name]}" for name in _FIGURES if name in figures]
    return [*told, *(f"⚠ {warning}" for warning in found.warnings)]


def result_line(run: Run) -> str:
    """Return how a run ended, in words."""
    if run.state == "cancelled":
        return "Cancelled; what was done stays."
    counted = counts_of(run)
    alone = len(counted) == 1
    counts = [text if alone else f"{text} in {name}" for name, text in counted]
    return f"Done: {', '.join(counts)}." if counts else "Done."


def error_text(error: HmzError) -> str:
    """Return an error with its remedy, and the number that the backend's admin will ask for."""
    lines = [f"⚠ {error.detail}", FOR_SHELLS.sub("", error.remedy)]
    if error.request_id:
        lines.append(f"Request {error.request_id}")
    return "\n".join(line for line in lines if line)


def plain_label(text: str = "") -> QLabel:
    """Return a label that shows text as it is written: cards and errors come from strangers."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
