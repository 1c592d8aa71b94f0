"""How long an event loop of Qt leaves everything else waiting.

A timer is due every few milliseconds; whatever comes between two of its ticks has held up the
window for that long. Lives in the Qt main thread.
"""

from dataclasses import dataclass, field
from time import perf_counter

from qtpy.QtCore import QEventLoop, Qt, QTimer

TICK_MS = 2


@dataclass
class Stalls:
    """Notes the time between ticks.

    Parameters
    ----------
    gaps
        When each gap ended, and how long it was; seconds.
    """

    gaps: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last_s = perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def longest_ms(self, from_s: float, to_s: float = float("inf")) -> list[float]:
        """Return the stalls that lay in a span of time, the longest first."""
        self._tick()
        within = (gap for end, gap in self.gaps if end > from_s and end - gap < to_s)
        return sorted((1000 * gap for gap in within), reverse=True)

    def _tick(self) -> None:
        now_s = perf_counter()
        self.gaps.append((now_s, now_s - self._last_s))
        self._last_s = now_s


def live(seconds: float) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
