"""What may be asked for of a volume that is larger than its room in the staging area.

```
slots   ┌ in use ┐┌ next block, 1st run ┐┌ next, 2nd run ┐┌ second block, 1st run ┐ ...
        └────────┴┴──────────── kept ────┴┴───────────────┴┴───────────────────────┘ rest: may go
```

Runs take turns, the oldest first. A block whose chunks do not fit beside what is kept ends the
turns of its run and of all younger ones: so the oldest run always comes to have room for its next
block, whatever order the others follow, and each run is the oldest at last. Pure functions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hmz_backend.stores.grid import Index


class Reader(Protocol):
    """A run, as far as it reads chunks."""

    def in_use(self) -> set[Index]:
        """Return the chunks that blocks under way read."""

    def upcoming(self) -> Iterator[set[Index]]:
        """Yield the chunks that each of the next blocks reads, best first."""


@dataclass(frozen=True, slots=True)
class Ration:
    """What is kept, and what is asked for.

    Parameters
    ----------
    kept
        Chunks that must stay or come; never more than there are slots.
    wanted
        Those of them that are missing, best first.
    """

    kept: set[Index] = field(default_factory=set)
    wanted: list[Index] = field(default_factory=list)


def ration(
    readers: Sequence[Reader], is_missing: Callable[[Index], bool], *, slots: int, limit: int
) -> Ration:
    """Return what the runs, the oldest first, may have of `slots` chunks.

    Looking further ends once `limit` chunks are wanted.
    """
    kept = {index for reader in readers for index in reader.in_use()}
    wanted: dict[Index, None] = {}
    turns = [reader.upcoming() for reader in readers]
    while turns and len(wanted) < limit:
        going = []
        for turn in turns:
            needed = next(turn, None)
            if needed is None:
                continue  # nothing more that this run looks at
            if len(kept) + len(needed - kept) > slots:
                break
            kept |= needed
            wanted.update(dict.fromkeys(index for index in sorted(needed) if is_missing(index)))
            going.append(turn)
        turns = going
    return Ration(kept, list(wanted))
