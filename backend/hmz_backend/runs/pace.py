"""How fast things get done: measured over the last minute, pauses left out."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

SPAN_S = 60.0
ROUNDS = 4
LEAST_S = 1.0
STILL_S = 10.0
STILL_GAPS = 3.0
MERGED_S = 0.25


@dataclass(slots=True)
class _Mark:
    at_s: float
    amount: float
    things: int


@dataclass
class Pace:
    """The amount that gets done per second, where several things are under way at once.

    ```
    start      first round       rounds                 pause              now
    ├─ loading ─┼───────┤x├──────┤xx├──────┤xx├─────┤ ··········· ├──────┤xx├──┤
                         ^ counting begins            left out
    ```

    Things that are worked on side by side end side by side, so one that has just ended says
    little: nothing is told before a whole round has been seen. The first round is not counted,
    since a model is loaded and a connection is made in it.

    Parameters
    ----------
    at_once
        How many things are worked on at the same time: the length of a round.
    """

    at_once: int
    _skipped: int = 0
    _worked_s: float = 0.0
    _last_s: float = 0.0
    _began_s: float = 0.0
    _amount: float = 0.0
    _things: int = 0
    _marks: deque[_Mark] = field(default_factory=deque)

    def add(self, amount: float, things: int, now_s: float) -> None:
        """Note that so many more things are done, which together are so much.

        Parameters
        ----------
        amount
            In the unit of the rate: voxels, chunks.
        now_s
            On a monotonic clock.
        """
        if self._skipped < self.at_once:
            self._skipped += things
            self._last_s = now_s
            return
        self._worked_s += self._counted(now_s - self._last_s)
        self._last_s = now_s
        self._mark(amount, things)

    def rate(self) -> float | None:
        """Return the amount per second of work; none before a round has been seen."""
        elapsed_s = self._worked_s - self._began_s
        if self._things < self.at_once or elapsed_s < LEAST_S:
            return None
        return self._amount / elapsed_s

    def is_still(self, now_s: float) -> bool:
        """Return whether nothing has been done for much longer than is usual here."""
        gap_s = now_s - self._last_s
        return gap_s > STILL_S and self._counted(gap_s) < gap_s

    def _mark(self, amount: float, things: int) -> None:
        self._amount += amount
        self._things += things
        newest = self._marks[-1] if self._marks else None
        if newest is not None and int(newest.at_s / MERGED_S) == int(self._worked_s / MERGED_S):
            newest.at_s = self._worked_s
            newest.amount += amount
            newest.things += things
            return
        self._marks.append(_Mark(self._worked_s, amount, things))
        while self._is_old(self._marks[0]):
            self._forget(self._marks.popleft())

    def _forget(self, mark: _Mark) -> None:
        self._began_s = mark.at_s
        self._amount -= mark.amount
        self._things -= mark.things

    def _is_old(self, mark: _Mark) -> bool:
        enough = self._things - mark.things >= ROUNDS * self.at_once
        return enough and mark.at_s < self._worked_s - SPAN_S

    def _counted(self, gap_s: float) -> float:
        """Return what counts of the time between two ends: a pause counts as a usual gap."""
        if gap_s <= STILL_S or self.rate() is None:
            return gap_s
        usual_s = self._longest_gap_s()
        return gap_s if gap_s <= STILL_GAPS * usual_s else usual_s

    def _longest_gap_s(self) -> float:
        times = [self._began_s, *(mark.at_s for mark in self._marks)]
        return max(after - before for before, after in pairwise(times))
