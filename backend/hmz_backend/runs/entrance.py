"""The entrance: so many runs of one person go at a time, the others wait in order.

```
        ┌ going, at most `at_once` ┐            ┌ waiting, at most `waiting_most` ┐
done <──│  run 1   run 2   run 3   │<── next ───│  run 4   run 5   run 6          │<── refused: 429
        └────────────│─────────────┘            └─────────────────────────────────┘
                     └─> aside: its image does not come, so it takes nobody's place
```

Each person and urgency has such a line: nobody's preview waits for their own long runs. Runs on the
event loop.
"""

import asyncio
from dataclasses import dataclass, field

from hmz_backend.shares.turn import Holder, Share
from napari_hmz.errors import LimitReached, ServerBusy
from napari_hmz.schema import Urgency

RETRY_S = 30.0  # runs take minutes: to ask more often is of no use


@dataclass(eq=False)
class Place:
    """One run that has not ended.

    Parameters
    ----------
    run
        Its id.
    share
        Whose it is.
    admitted
        Set once it may go.
    is_aside
        Whether it goes, but waits for its image, and so counts as none.
    """

    run: str
    share: Share
    admitted: asyncio.Event = field(default_factory=asyncio.Event)
    is_aside: bool = False


@dataclass
class Entrance:
    """Lets runs go.

    Parameters
    ----------
    at_once
        How many runs of one person go at a time, for either urgency; 0: no limit.
    waiting_most
        How many more of one person may wait, for their turn or their image; 0: no limit.
    open_most
        How many runs of all people may go or wait; 0: no limit.
    """

    at_once: int = 0
    waiting_most: int = 0
    open_most: int = 0
    _lines: dict[tuple[Holder, Urgency], list[Place]] = field(default_factory=dict)

    def check(self, share: Share) -> None:
        """Refuse another run if too many wait already.

        Raises
        ------
        LimitReached
            Too many of this person.
        ServerBusy
            Too many of all people.
        """
        waiting = sum(not _counts(place) for place in self._line(share))
        if 0 < self.waiting_most <= waiting:
            raise LimitReached(
                f"{waiting} of your runs wait here already.",
                remedy="Start it when one of them has begun, or cancel some: `hmz runs`.",
                retry_after_s=RETRY_S,
            )
        counted = sum(not place.is_aside for line in self._lines.values() for place in line)
        if 0 < self.open_most <= counted:
            raise ServerBusy("The backend has as many runs as it takes.", retry_after_s=RETRY_S)

    def enter(self, share: Share, run: str) -> Place:
        """Let a run wait behind those of its person; one that may go is admitted at once."""
        place = Place(run, share)
        self._lines.setdefault(_key(share), []).append(place)
        self._admit(share)
        return place

    def leave(self, place: Place) -> None:
        """Count a run no longer; the next one may go."""
        line = self._line(place.share)
        line.remove(place)
        if not line:
            del self._lines[_key(place.share)]
        self._admit(place.share)

    def stand_aside(self, place: Place, *, aside: bool) -> None:
        """Count a run that goes as none while its image does not come, and again when it does."""
        place.is_aside = aside
        self._admit(place.share)

    def ahead(self, place: Place) -> int:
        """Return how many runs go before this one does; 0 also where it goes."""
        before = self._waiting(place.share)
        return before.index(place) + 1 if place in before else 0

    def going(self, share: Share) -> list[str]:
        """Return the runs of a person whose end lets the next one go."""
        return [place.run for place in self._line(share) if _counts(place)]

    def newcomer(self, share: Share) -> int:
        """Return which place in the queue a run would have that came now; 0: it would go."""
        if not self.at_once or len(self.going(share)) < self.at_once:
            return 0
        return len(self._waiting(share)) + 1

    def _waiting(self, share: Share) -> list[Place]:
        return [place for place in self._line(share) if not place.admitted.is_set()]

    def _admit(self, share: Share) -> None:
        free = max(0, self.at_once - len(self.going(share))) if self.at_once else None
        for place in self._waiting(share)[:free]:
            place.admitted.set()

    def _line(self, share: Share) -> list[Place]:
        return self._lines.get(_key(share), [])


def _key(share: Share) -> tuple[Holder, Urgency]:
    return share.holder, share.urgency


def _counts(place: Place) -> bool:
    return place.admitted.is_set() and not place.is_aside
