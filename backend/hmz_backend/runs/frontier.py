"""Which blocks of a run can be computed now, and which chunks the next ones wait for.

Only a window of blocks is looked at, so that a run of a million blocks costs no more than one of a
thousand; the window moves on as blocks are taken. Runs on the event loop, touches no files.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hmz_backend.stores.grid import Index

WINDOW = 256


@dataclass
class Frontier:
    """The blocks that come next.

    Parameters
    ----------
    order
        Every block of the run, in run order; int64.
    pending
        One flag per block: not done and not under way.
    needs
        The chunks that a block's tile reads.
    is_missing
        Whether a chunk is not there yet.
    at_first
        How many blocks may wait for chunks until `open_wide`: a fast link would else bring far more
        than the engine can begin with, and its first results would come late.
    """

    order: NDArray[np.int64]
    pending: NDArray[np.bool_]
    needs: Callable[[int], Iterable[Index]]
    is_missing: Callable[[Index], bool]
    window: int = WINDOW
    at_first: int | None = None
    held_to: int = 0
    """How many blocks may want chunks in all: somebody waits to see their results; 0: all."""
    _rank: NDArray[np.int64] = field(init=False)
    _urgent: NDArray[np.bool_] = field(init=False)
    _looked: NDArray[np.bool_] = field(init=False)
    _queue: NDArray[np.int64] = field(init=False)
    _next: int = 0
    _waiting: dict[int, set[Index]] = field(default_factory=dict)
    _by_chunk: dict[Index, set[int]] = field(default_factory=dict)
    _ready: list[tuple[int, int]] = field(default_factory=list)
    _under_way: set[int] = field(default_factory=set)
    _wants_more: bool = False
    _begun: int = 0

    def __post_init__(self) -> None:
        """Give each block its place in the order."""
        self._rank = np.empty(len(self.order), np.int64)
        self._rank[self.order] = np.arange(len(self.order))
        self._urgent = np.zeros(len(self.order), bool)
        self._looked = np.zeros(len(self.order), bool)
        self._queue = self.order

    def take(self) -> int | None:
        """Return the most urgent block whose chunks are all there, and count it as under way."""
        self._fill()
        while self._ready:
            block = heapq.heappop(self._ready)[1]
            if not self.pending[block]:
                continue
            missing = self._missing(block)
            if missing:  # a chunk of a streamed volume may have had to make room
                self._await(block, missing)
                continue
            self.pending[block] = False
            self._under_way.add(block)
            self._begun += 1
            return block
        return None

    def give_back(self, block: int) -> None:
        """Count a block as not done after all: it is looked at again."""
        self._under_way.discard(block)
        self._begun -= 1
        self.pending[block] = True
        self._look(block)

    def done(self, blocks: Iterable[int]) -> None:
        """Count blocks as under way no longer."""
        self._under_way.difference_update(blocks)

    def in_use(self) -> set[Index]:
        """Return the chunks that the blocks under way read."""
        return {index for block in self._under_way for index in self.needs(block)}

    def upcoming(self) -> Iterator[set[Index]]:
        """Yield what each of the next blocks reads, whether it is there or not, best first."""
        self._fill()
        blocks = {block for _, block in self._ready if self.pending[block]} | set(self._waiting)
        for block in self._admitted(sorted(blocks, key=self._place)):
            yield set(self.needs(block))

    def arrived(self, index: Index) -> None:
        """Note that a chunk is there."""
        for block in self._by_chunk.pop(index, ()):
            missing = self._waiting[block]
            missing.discard(index)
            if not missing:
                del self._waiting[block]
                self._push(block)

    def wanted(self, limit: int, among: Callable[[Index], bool] = lambda _: True) -> list[Index]:
        """Return the chunks that the next blocks wait for, best first, of those that count."""
        self._fill()
        found: dict[Index, None] = {}
        for block in self._admitted(sorted(self._waiting, key=self._place)):
            for index in filter(among, sorted(self._waiting[block])):
                found[index] = None
                if len(found) == limit:
                    return list(found)
        return list(found)

    def wants_more(self) -> bool:
        """Return whether blocks have come to wait for chunks since this was last asked.

        The window moves on as blocks are taken: who was told that nothing is wanted must hear.
        """
        wanted_more, self._wants_more = self._wants_more, False
        return wanted_more

    def open_wide(self) -> bool:
        """Let all blocks that are looked at want their chunks; return whether they did not."""
        was_narrow, self.at_first = self.at_first is not None, None
        return was_narrow

    def focus(self, blocks: Sequence[int]) -> None:
        """Let these blocks go first, in run order among themselves."""
        self._urgent[:] = False
        self._urgent[list(blocks)] = True
        self._queue = np.concatenate(
            [self.order[self._urgent[self.order]], self.order[~self._urgent[self.order]]]
        )
        self._next = 0
        self._looked[:] = False
        self._waiting.clear()
        self._by_chunk.clear()
        self._ready.clear()

    def is_urgent(self, block: int) -> bool:
        """Return whether a block is one of those that are looked at."""
        return bool(self._urgent[block])

    @property
    def is_waiting(self) -> bool:
        """Whether blocks wait for chunks."""
        return bool(self._waiting)

    def _admitted(self, blocks: list[int]) -> list[int]:
        if self.held_to:
            return blocks[: max(0, self.held_to - self._begun)]
        if self.at_first is None:
            return blocks
        return blocks[: max(0, self.at_first - len(self._under_way))]

    def _fill(self) -> None:
        while self._next < len(self._queue):
            if len(self._ready) + len(self._waiting) >= self.window:
                return
            block = int(self._queue[self._next])
            self._next += 1
            if self.pending[block] and not self._looked[block]:
                self._look(block)

    def _look(self, block: int) -> None:
        self._looked[block] = True
        missing = self._missing(block)
        if missing:
            self._await(block, missing)
        else:
            self._push(block)

    def _missing(self, block: int) -> set[Index]:
        return {index for index in self.needs(block) if self.is_missing(index)}

    def _await(self, block: int, missing: set[Index]) -> None:
        self._waiting[block] = missing
        self._wants_more = True
        for index in missing:
            self._by_chunk.setdefault(index, set()).add(block)

    def _push(self, block: int) -> None:
        heapq.heappush(self._ready, (self._place(block), block))

    def _place(self, block: int) -> int:
        rank = int(self._rank[block])
        return rank - len(self.order) if self._urgent[block] else rank


@dataclass(frozen=True, slots=True)
class Share:
    """What of a run's frontier is read of one volume: its chunks have a number in front.

    Parameters
    ----------
    frontier
        Of the run, whose chunks are of several volumes.
    number
        Of the volume.
    """

    frontier: Frontier
    number: int

    def wanted(self, limit: int) -> list[Index]:
        """Return the chunks of the volume that the next blocks wait for, best first."""
        return [index[1:] for index in self.frontier.wanted(limit, self._is_own)]

    def hold(self, blocks: int) -> None:
        """Let no more than so many blocks of the run want chunks in all; 0: any number."""
        self.frontier.held_to = blocks

    def in_use(self) -> set[Index]:
        """Return the chunks of the volume that the blocks under way read."""
        return self._own(self.frontier.in_use())

    def upcoming(self) -> Iterator[set[Index]]:
        """Yield what each of the next blocks reads of the volume, best first."""
        return map(self._own, self.frontier.upcoming())

    def _own(self, indices: set[Index]) -> set[Index]:
        return {index[1:] for index in indices if self._is_own(index)}

    def _is_own(self, index: Index) -> bool:
        return index[0] == self.number
