"""The chunks of one run: wanted of every volume that it reads, counted, and let go once read.

Runs on the event loop of the run's driver.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hmz_backend.planning import block_at
from hmz_backend.planning.checks import check_slots
from hmz_backend.runs.feed import Feed
from hmz_backend.runs.frontier import Frontier, Share
from hmz_backend.runs.open_volume import Demand
from hmz_backend.runs.readers import Readers
from hmz_backend.runs.together import Together
from hmz_backend.runs.volumes import Volumes
from hmz_backend.stores.grid import Index

CountReaders = Callable[[Feed, NDArray[np.bool_]], Awaitable[Readers]]


@dataclass
class Supply:
    """What the volumes of one run bring.

    Parameters
    ----------
    feeds, frontier, volumes
        What the run reads, which blocks are next, and where chunks come.
    arrived
        Called when a chunk has come.
    count_readers
        Counts, in a thread, which blocks of those that are pending read each chunk of a feed.
    """

    feeds: tuple[Feed, ...]
    frontier: Frontier
    volumes: Volumes
    arrived: Callable[[], None]
    count_readers: CountReaders
    _demands: list[Demand] = field(default_factory=list)
    _readers: dict[int, Readers] = field(default_factory=dict)

    async def open(self, pending: NDArray[np.bool_]) -> None:
        """Begin to want what the pending blocks read.

        Raises
        ------
        QuotaExceeded
            If a tile reads more of a streamed volume than is held of it at a time.
        """
        demands = [await self._demand(feed, pending) for feed in self.feeds]
        for feed, demand in zip(self.feeds, demands, strict=True):
            self._demands.append(demand)
            self.volumes.demand(feed.volume, demand)

    def close(self) -> None:
        """Want nothing any more."""
        for feed, demand in zip(self.feeds, self._demands, strict=False):
            self.volumes.release(feed.volume, demand)
        self._demands.clear()

    def changed(self) -> None:
        """Wake the clients that ask what is wanted: it may be something else now."""
        for feed in self.feeds:
            self.volumes.changed(feed.volume)

    async def passed(self, blocks: Sequence[int]) -> None:
        """Let streamed volumes forget what these blocks were the last to read."""
        for number, readers in self._readers.items():
            feed = self.feeds[number]
            read = (readers.done(block_at(feed.plan, block)) for block in blocks)
            await self.volumes.passed(feed.volume, set().union(*read))

    async def discard(self, number: int, key: str) -> None:
        """Forget a damaged chunk of a feed."""
        feed = self.feeds[number]
        await self.volumes.discard(feed.volume, feed.staged, key)

    def count(self) -> tuple[int, int]:
        """Return how many chunks the run needs, and how many are there or not needed any more."""
        counts = [self._count(feed) for feed in self.feeds]
        return sum(needed for needed, _ in counts), sum(held for _, held in counts)

    def _count(self, feed: Feed) -> tuple[int, int]:
        readers = self._readers.get(feed.number)
        return feed.count() if readers is None else readers.count(feed.staged.marks)

    async def _demand(self, feed: Feed, pending: NDArray[np.bool_]) -> Demand:
        slots = self.volumes.slots(feed.volume)
        readers = together = None
        if slots is not None:
            check_slots(feed.plan, feed.source, slots)
            readers = self._readers[feed.number] = await self.count_readers(feed, pending)
        elif feed.source.together:
            left = await self.count_readers(feed, pending)
            together = Together(feed.staged, left.left > 0, feed.source.together)
        share = Share(self.frontier, feed.number)
        return Demand(share, partial(self._arrived, feed.number), readers, together)

    def _arrived(self, number: int, index: Index) -> None:
        self.frontier.arrived((number, *index))
        self.arrived()
