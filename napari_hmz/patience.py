"""How long a request is tried again while nobody answers, and how the waits grow."""

import random
import threading
import time
from dataclasses import dataclass

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """A limit on the time spent trying again.

    Parameters
    ----------
    limit_s
        How long after the first failure a new attempt may still begin; 0: one attempt only.
    stop
        Set by whoever wants the waiting to end at once.
    """

    limit_s: float
    stop: threading.Event | None = None

    @property
    def stopped(self) -> bool:
        """Whether someone asked for the end."""
        return self.stop is not None and self.stop.is_set()


class Waits:
    """The waits between the attempts of one request: each twice as long as the one before."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._stop = patience.stop or threading.Event()
        self._since: float | None = None
        self._delay_s = _FIRST_DELAY_S

    def reset(self) -> None:
        """Forget earlier failures: something came through."""
        self._since, self._delay_s = None, _FIRST_DELAY_S

    def wait(self, at_least_s: float = 0.0) -> bool:
        """Wait before the next attempt; False if there must be none."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        spread = 0.5 + random.random()  # noqa: S311 # spreads many clients' attempts, guards nothing
        delay_s = max(self._delay_s * spread, at_least_s)
        self._delay_s = min(2 * self._delay_s, _LONGEST_DELAY_S)
        if now + delay_s - self._since > self._patience.limit_s:
            return False
        return not self._stop.wait(delay_s)
