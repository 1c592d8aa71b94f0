"""A run in napari's activity dock: a bar, where the run stands, and a way to stop it.

Lives in the Qt main thread. napari lets the window live (`processEvents`) whenever such a bar is
made or filled. So that happens from a timer of its own only: never while an update of the run is
being taken in, which another update might then overtake.
"""

from collections.abc import Callable

from napari.utils import cancelable_progress
from qtpy.QtCore import QTimer

from hmz_widgets.status import standing_line
from napari_hmz.standing import Standing

PAUSE_MS = 500
"""Between two standings that are shown."""


class Activity:
    """Shows where one run stands, from its making until it is closed.

    Parameters
    ----------
    title
        What the run is called.
    cancel
        Is called when the person presses Cancel there.
    """

    def __init__(self, title: str, cancel: Callable[[], object]) -> None:
        self._title, self._cancel = title, cancel
        self._bar: _Bar | None = None
        self._next: Standing | None = None
        self._is_closed = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._show)
        self._timer.start(0)

    def advance(self, standing: Standing) -> None:
        """Show where the run stands, soon."""
        self._next = standing
        if not self._is_closed and not self._timer.isActive():
            self._timer.start(PAUSE_MS)

    def close(self) -> None:
        """Take the bar away, whatever the run has come to."""
        self._is_closed = True
        self._timer.stop()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _show(self) -> None:
        if self._bar is None:
            bar = _Bar(f"{self._title}: preparing", self._cancel)
            if self._is_closed:  # by what happened while napari made the bar
                bar.close()
                return
            self._bar = bar
        standing, self._next = self._next, None
        if standing is not None:
            words = f"{self._title}: {standing_line(standing)}"
            self._bar.fill(words, standing.blocks_done, standing.blocks_total)


class _Bar(cancelable_progress):  # type: ignore[misc] # napari has no types that mypy can follow
    """A bar in the dock that stops the run: napari's own only takes note of it."""

    def __init__(self, words: str, cancel: Callable[[], object]) -> None:
        self._stop: Callable[[], object] | None = cancel
        self._blocks = 0
        super().__init__(desc=words, total=0, file=_Nowhere())

    def fill(self, words: str, done: int, total: int) -> None:
        """Show how much is done; closed in between, it shows nothing more."""
        if total != self._blocks:
            self.total = self._blocks = total
        if not self.disable:
            self.set_description(words)
        if not self.disable:
            self.update(done - self.n)

    def cancel(self) -> None:
        """Stop the run."""
        super().cancel()
        if self._stop is not None:
            self._stop()

    def close(self) -> None:
        """Take it away, and let go of the run."""
        self._stop = None
        super().close()


class _Nowhere:
    """Where the bar is drawn in text, too: the terminal is not asked for it."""

    def write(self, _text: str) -> None:
        """Write nothing."""

    def flush(self) -> None:
        """Do nothing."""
