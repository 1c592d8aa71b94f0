"""When to strike: after a random share of what a run has to do, counted, not timed."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

LATE_SHARE = 0.2
"""Of the moments that fall behind the last tile: joining, fetching, writing coarser levels."""
LATE_S = 0.4
LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in the life of a run.

    Parameters
    ----------
    steps
        How many chunks have arrived and tiles have begun by then.
    pause_s
        How long after that.
    """

    steps: int
    pause_s: float

    @classmethod
    def draw(cls, chance: random.Random, *, steps: int, tile_s: float) -> "Moment":
        """Return a moment of a run that takes so many steps."""
        if chance.random() < LATE_SHARE:
            return cls(steps, chance.uniform(0, LATE_S))
        return cls(chance.randrange(steps), chance.uniform(0, tile_s))

    def await_it(self, steps: Callable[[], int], is_over: Callable[[], bool]) -> bool:
        """Wait for the moment; False if the run was over before."""
        while steps() < self.steps:
            if is_over():
                return False
            time.sleep(LOOK_S)  # counts in files tell nobody that they have grown
        time.sleep(self.pause_s)  # the moment may fall anywhere within a tile
        return not is_over()
