"""Whether a run waits for an image that does not come, as that of a client that was lost."""

import time
from dataclasses import dataclass, field
from typing import Protocol

ASIDE_S = 30.0  # clients send chunks every few seconds, or none at all


class StandAside(Protocol):
    """Is told when a run begins to idle, and when it goes on."""

    def __call__(self, *, aside: bool) -> None:
        """Count the run as none, or again."""


def stay(*, aside: bool) -> None:
    """Do nothing: nobody waits for the run's place."""


@dataclass
class Idleness:
    """Tells when a run comes to wait for its image for long, and when it goes on.

    Parameters
    ----------
    stand_aside
        Is told.
    """

    stand_aside: StandAside = stay
    is_aside: bool = False
    _moved_at_s: float = field(default_factory=time.monotonic)

    def moved(self) -> None:
        """Note that a chunk has come, or a block has ended."""
        self._moved_at_s = time.monotonic()

    def look(self, *, awaits_chunks: bool) -> None:
        """Look whether it has changed; `awaits_chunks`: nothing else can be done for the run."""
        is_aside = awaits_chunks and time.monotonic() - self._moved_at_s > ASIDE_S
        if is_aside != self.is_aside:
            self.is_aside = is_aside
            self.stand_aside(aside=is_aside)
