"""Two fair queues in one: what somebody watches goes first, as long as it leaves the rest its part.

While both classes wait, an account is kept of what is served:

```
interactive, l voxels:  account + l (1 - cap)      goes first while the account is not above 0
batch, l voxels:        account - l cap            goes first while it is
```

So the account is never further from 0 than one turn, and of whatever is served while both wait, at
most `cap` and one turn is interactive. Alone, either class has everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hmz_backend.shares.fair_queue import Entry, FairQueue
from hmz_backend.shares.turn import Share, Turn
from napari_hmz.schema import Urgency

T = TypeVar("T")


@dataclass
class TwoClasses(Generic[T]):
    """Serves turns: interactive ones first up to a cap, in each class fairly.

    Parameters
    ----------
    cap
        The most that interactive turns take while others wait, from 0 to 1.
    evenly, most_voxels
        As of `FairQueue`.
    """

    cap: float = 0.75
    evenly: bool = False
    most_voxels: int = 0
    account: float = 0.0
    interactive: FairQueue[T] = field(init=False)
    batch: FairQueue[T] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with empty queues."""
        self.interactive = FairQueue(self.evenly, self.most_voxels)
        self.batch = FairQueue(self.evenly, self.most_voxels)

    def push(self, turn: Turn, item: T) -> Entry[T]:
        """Let a turn wait."""
        return self._of(turn.share).push(turn, item)

    def pop(self, *, idle_only: bool = False) -> Entry[T] | None:
        """Serve the turn that comes next, as `FairQueue.pop` does."""
        watched = self.interactive.waits(idle_only=idle_only)
        both = watched and self.batch.waits(idle_only=idle_only)
        is_first = watched and not (both and self.account > 0)
        entry = (self.interactive if is_first else self.batch).pop(idle_only=idle_only)
        if entry is None:
            return None
        if both:
            voxels = entry.turn.voxels
            self.account += voxels * (1 - self.cap) if is_first else -voxels * self.cap
        return entry

    def remove(self, entry: Entry[T]) -> None:
        """Let a turn wait no longer."""
        self._of(entry.turn.share).remove(entry)

    def release(self, turn: Turn) -> None:
        """End what was served."""
        self._of(turn.share).release(turn)

    def ahead(self, share: Share) -> int:
        """Return how many holders of the same class are served before this one is."""
        return self._of(share).ahead(share.holder)

    def classes(self) -> Mapping[Urgency, FairQueue[T]]:
        """Return both queues."""
        return {"interactive": self.interactive, "batch": self.batch}

    def _of(self, share: Share) -> FairQueue[T]:
        return self.interactive if share.urgency == "interactive" else self.batch
