"""The coarser levels of an output, made while the finest one fills.

```
level 0   chunk is final ──► its coarse chunk has one less to wait for
level 1   nothing to wait for any more ──► made (in a thread) ──► tells level 2, and so on
```

What was not made by the end (chunks of an earlier process, a full disk meanwhile) is made then. So
the end of a run has little left to do, and the bytes are the same in whatever order chunks come.

Threads: `final` and `changed` are called from those that write chunks; one of its own makes levels.
"""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from napari_hmz.priority import step_back
from napari_hmz.results.coarsening import Coarsening, Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THREADS = 4
"""At the end; each holds one coarse chunk and one finer one."""
_AT_ONCE = 256
"""Chunks handed to the threads together, whatever the volume."""
_NEWS = 4096
"""Final chunks that wait for their thread at most; what stands on others is made at the end."""


class CoarserLevels:
    """Makes the coarser levels of one pyramid.

    Parameters
    ----------
    levels
        Makes the arrays, finest first; called once, when the first chunk is final.
    """

    def __init__(self, levels: Callable[[], Sequence[Coarsening]]) -> None:
        self._make_levels = levels
        self._levels: Sequence[Coarsening] | None = None
        self._guard = threading.Lock()
        self._come: list[Counter[Place]] = []
        self._made: list[NDArray[np.bool_]] = []
        self._news: deque[Place] = deque()
        self._thread: threading.Thread | None = None
        self._failed = False
        self._again: set[Place] = set()

    def final(self, finest: Place) -> None:
        """Note that a chunk of the finest level is written, and will not change again."""
        with self._guard:
            if len(self._news) < _NEWS:
                self._news.append(finest)
            if self._thread is None:  # it ends when there is no news, so nobody has to end it
                self._thread = threading.Thread(target=self._work, name="hmz-levels", daemon=True)
                self._thread.start()

    def changed(self, finest: Place) -> None:
        """Note that a chunk of the finest level which was final is written anew."""
        with self._guard:
            self._again.add(finest)

    def finish(self) -> None:
        """Make what is not made yet.

        Raises
        ------
        OSError
            If it cannot be written; what is made stays.
        ChunkCorrupt
            If the file of a finer chunk is damaged.
        """
        with self._guard:
            thread = self._thread
            self._news.clear()  # several threads, which do not step back, make it sooner
        if thread is not None:
            thread.join()
        levels = self._opened()
        self._forget_stale()
        for level, made in zip(levels, self._made, strict=True):
            fill_level(level, (place for place in level.places() if not made[place]))
            made[...] = True

    def _opened(self) -> Sequence[Coarsening]:
        if self._levels is None:
            self._levels = self._make_levels()
            self._come = [Counter() for _ in self._levels]
            self._made = [np.zeros(level.grid, bool) for level in self._levels]
        return self._levels

    def _work(self) -> None:
        step_back()
        while (place := self._next()) is not None:
            if self._failed:
                continue
            try:
                self._climb(place)
            except Exception:  # noqa: BLE001 # whatever it is, it is met again and told at the end
                self._failed = True

    def _next(self) -> Place | None:
        with self._guard:
            if self._news:
                return self._news.popleft()
            self._thread = None
            return None

    def _climb(self, place: Place) -> None:
        """Make what a chunk completes, level by level."""
        places = [place]
        for level, come, made in zip(self._opened(), self._come, self._made, strict=True):
            come.update(above for each in places for above in level.above(each))
            places = [each for each in level.above_all(places) if come[each] == level.parts(each)]
            for complete in places:
                level.fill(complete)
                made[complete] = True
                del come[complete]

    def _forget_stale(self) -> None:
        """Clear what stands on chunks that have been written anew: it is made again."""
        places = self._again
        for level, made in zip(self._opened(), self._made, strict=True):
            places = level.above_all(places)
            for place in places:
                made[place] = False
                level.clear(place)


def fill_level(level: Coarsening, places: Iterable[Place]) -> None:
    """Make chunks of one level, several at once."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="hmz-level") as threads:
        left = iter(places)
        while batch := list(itertools.islice(left, _AT_ONCE)):
            list(threads.map(level.fill, batch))
