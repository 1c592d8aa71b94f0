"""The fair queue: who waits is served in proportion to weights, whoever has how much to do.

Start-time fair queueing (Goyal, Vin and Cheng: "Start-time fair queuing", SIGCOMM 1996): the n-th
turn of holder f, which takes l voxels, has the tags

```
start(n)  = max(v, finish(n - 1))        v: the start of the turn that was served last
finish(n) = start(n) + l / weight(f)
```

and the least start is served first. Several are served at a time, as in the depth-controlled form
(SFQ(D); Jin, Chase and Kaur: "Interposed proportional sharing for a storage service utility",
SIGMETRICS 2004). Two holders who both wait from one moment on are then never further apart than the
largest turn of either, each by its weight; who was idle begins at v: no credit, no debt.
"""

import heapq
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hmz_backend.shares.turn import Holder, Turn

T = TypeVar("T")
SPARE_LINES = 64  # of holders who are gone, before they are looked for


@dataclass(slots=True, eq=False)
class Entry(Generic[T]):
    """One turn that waits.

    Parameters
    ----------
    turn, item
        What was handed in.
    number
        In order of arrival.
    gone
        Whether it does not wait any more.
    """

    turn: Turn
    item: T
    number: int
    gone: bool = False

    def __lt__(self, other: "Entry[T]") -> bool:
        """Return whether it goes before another one of the same holder."""
        return (self.turn.order, self.number) < (other.turn.order, other.number)


@dataclass(slots=True, eq=False)
class _Line(Generic[T]):
    """What one holder has waiting and under way."""

    finish: float
    start: float = 0.0
    weight: float = 1.0
    held: int = 0
    entries: list[Entry[T]] = field(default_factory=list)

    def first(self) -> Entry[T] | None:
        """Return the entry that goes next, forgetting those that are gone."""
        while self.entries and self.entries[0].gone:
            heapq.heappop(self.entries)
        return self.entries[0] if self.entries else None


@dataclass
class FairQueue(Generic[T]):
    """Turns of many holders; `pop` serves one, `release` ends what was served.

    Parameters
    ----------
    evenly
        Who holds least goes first, by weight, and tags decide between equals: right for places that
        are held, where `False` is right for time that is used.
    most_voxels
        What one holder may hold at a time, unless it is a single turn; 0: no limit.
    """

    evenly: bool = False
    most_voxels: int = 0
    served: float = 0.0
    """The virtual time v."""
    waiting: int = 0
    """How many turns wait."""
    _lines: dict[Holder, _Line[T]] = field(default_factory=dict)
    _waiting: dict[Holder, _Line[T]] = field(default_factory=dict)
    _arrived: int = 0
    _under_way: int = 0

    def push(self, turn: Turn, item: T) -> Entry[T]:
        """Let a turn wait."""
        holder = turn.share.holder
        line = self._lines.get(holder)
        if line is None:
            line = self._lines[holder] = _Line(self.served)
        line.weight = turn.share.weight
        if holder not in self._waiting:
            line.start = max(self.served, line.finish)
            self._waiting[holder] = line
        self._arrived += 1
        self.waiting += 1
        entry = Entry(turn, item, self._arrived)
        heapq.heappush(line.entries, entry)
        return entry

    def waits(self, *, idle_only: bool = False) -> bool:
        """Return whether there is a turn that `pop` would serve."""
        return any(True for _ in self._ready(idle_only=idle_only))

    def pop(self, *, idle_only: bool = False) -> Entry[T] | None:
        """Serve the turn that comes next; none if there is none that may be served.

        Parameters
        ----------
        idle_only
            Serve only holders who hold nothing.
        """
        found = min(self._ready(idle_only=idle_only), key=self._rank, default=None)
        if found is None:
            return None
        entry, line = found
        self._serve(entry, line)
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Let a turn wait no longer; it was not served, and costs nothing."""
        entry.gone = True
        self.waiting -= 1
        line = self._waiting.get(entry.turn.share.holder)
        if line is not None and line.first() is None:
            self._rest(entry.turn.share.holder)

    def release(self, turn: Turn) -> None:
        """End what was served."""
        line = self._lines[turn.share.holder]
        line.held -= turn.voxels
        self._under_way -= 1
        if not self._under_way and not self._waiting:  # the end of a busy time: all begin anew
            self._lines.clear()
            self.served = 0.0

    def holders(self) -> Set[Holder]:
        """Return who has turns that wait."""
        return self._waiting.keys()

    def ahead(self, holder: Holder) -> int:
        """Return how many holders are served before this one is."""
        line = self._waiting.get(holder)
        first = None if line is None else line.first()
        if line is None or first is None:
            return 0
        rank = self._rank((first, line))
        return sum(self._rank(other) < rank for other in self._ready(idle_only=False))

    def _ready(self, *, idle_only: bool) -> Iterator[tuple[Entry[T], _Line[T]]]:
        for line in self._waiting.values():
            entry = line.first()
            if entry is None or (line.held and (idle_only or self._is_full(line, entry))):
                continue
            yield entry, line

    def _is_full(self, line: _Line[T], entry: Entry[T]) -> bool:
        return 0 < self.most_voxels < line.held + entry.turn.voxels

    def _rank(self, found: tuple[Entry[T], _Line[T]]) -> tuple[float, float, int]:
        entry, line = found
        return line.held / line.weight if self.evenly else 0.0, line.start, entry.number

    def _serve(self, entry: Entry[T], line: _Line[T]) -> None:
        heapq.heappop(line.entries)
        entry.gone = True
        self.waiting -= 1
        self.served = max(self.served, line.start)
        line.start = line.finish = line.start + entry.turn.voxels / line.weight
        line.held += entry.turn.voxels
        self._under_way += 1
        if line.first() is None:
            self._rest(entry.turn.share.holder)

    def _rest(self, holder: Holder) -> None:
        """Note that a holder has nothing waiting; forget those of whom nothing is left to know."""
        del self._waiting[holder]
        if len(self._lines) > 2 * len(self._waiting) + SPARE_LINES:
            self._lines = {
                name: line
                for name, line in self._lines.items()
                if name in self._waiting or line.held or line.finish > self.served
            }
