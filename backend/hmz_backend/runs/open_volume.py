"""A volume while somebody uses it: its chunks, and who wants which. Runs on the event loop."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from hmz_backend.runs.bell import Bell
from hmz_backend.runs.ration import Ration, Reader, ration
from hmz_backend.runs.readers import Readers
from hmz_backend.runs.together import Together
from hmz_backend.stores.grid import Index
from hmz_backend.stores.staged import HELD, StagedVolume


class Waiting(Reader, Protocol):
    """A run, as far as it waits for chunks of one volume."""

    def wanted(self, limit: int) -> list[Index]:
        """Return the chunks that the next blocks wait for, best first."""

    def hold(self, blocks: int) -> None:
        """Let no more than so many blocks of the run want chunks in all; 0: any number."""


@dataclass(eq=False)
class Demand:
    """What one run wants of a volume; made by its driver.

    Parameters
    ----------
    frontier
        The run's next blocks.
    arrived
        Called with each chunk that has come.
    readers
        Which chunks the run has still to read; needed of a streamed volume only.
    together
        In which order the client best reads them, if it matters; not of a streamed volume.
    """

    frontier: Waiting
    arrived: Callable[[Index], None]
    readers: Readers | None = None
    together: Together | None = None

    def wanted(self, limit: int) -> list[Index]:
        """Return what the run waits for, best first."""
        found = self.frontier.wanted(limit)
        return found if self.together is None else self.together.ordered(found, limit)

    def reads(self, index: Index) -> bool:
        """Return whether the run has still to read a chunk."""
        return self.readers is None or self.readers.reads(index)


@dataclass(eq=False)
class OpenVolume:
    """One volume.

    Parameters
    ----------
    staged
        Its chunks.
    used_at_s
        When it was last used, in seconds since 1970.
    told_at_s
        What the folder says of that.
    slots
        How many chunks may be held at a time; none: all of them, the volume is not streamed.
    is_sensitive
        Whether its chunks must go once no run uses them.
    demands
        Runs that read it, the oldest first.
    here
        The held chunks of a streamed volume, the one that came first at the front. In an order of
        halves within halves, what came long ago is read again last, and so makes room first.
    absent_lately
        About how many chunks were said to be fill value since the last ones came: as many more are
        likely to be, and cost nothing to ask for.
    """

    staged: StagedVolume
    used_at_s: float
    told_at_s: float = 0.0
    slots: int | None = None
    is_sensitive: bool = False
    demands: list[Demand] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)
    ration: Ration = field(default_factory=Ration)
    here: dict[Index, None] = field(default_factory=dict)
    absent_lately: int = 0

    @property
    def reserved_bytes(self) -> int:
        """What the volume takes of the staging area, or will come to take."""
        if self.slots is None:
            return self.staged.bound_bytes
        return max(self.staged.bytes_held, self.slots * self.staged.chunk_bytes)

    def pass_through(self, slots: int | None) -> None:
        """Hold no more than so many chunks at a time from now on; none: all."""
        self.slots = slots
        places = () if slots is None else np.argwhere(self.staged.marks == HELD).tolist()
        self.here = {tuple(place): None for place in places}

    def takes(self, index: Index) -> bool:
        """Return whether a chunk that comes is stored: of a stream, only what runs wait for."""
        return self.slots is None or (index in self.ration.kept and self.is_read(index))

    def wanted(self, limit: int, first: int = 0) -> list[Index]:
        """Return what runs wait for, best first: for so many blocks of each; 0: for all."""
        for each in self.demands:
            each.frontier.hold(first)
        if self.slots is None:
            indices = (index for each in self.demands for index in each.wanted(limit))
            return list(dict.fromkeys(indices))[:limit]
        frontiers = [each.frontier for each in self.demands]
        self.ration = ration(frontiers, self.staged.is_missing, slots=self.slots, limit=limit)
        return self.ration.wanted

    def surplus(self) -> list[Index]:
        """Return chunks that must go, so that those that are wanted find room."""
        if self.slots is None:
            return []
        excess = len(self.here) + len(self.ration.wanted) - self.slots
        idle = (index for index in self.here if index not in self.ration.kept)
        return list(itertools.islice(idle, max(0, excess)))

    def is_read(self, index: Index) -> bool:
        """Return whether a run has still to read a chunk."""
        return any(demand.reads(index) for demand in self.demands)

    def unread(self) -> list[Index]:
        """Return the held chunks of a streamed volume that no run reads any more."""
        return [index for index in self.here if not self.is_read(index)]
