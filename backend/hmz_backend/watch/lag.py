"""The lag of the event loop: how much later than asked for it wakes who sleeps."""

import asyncio
import time
from typing import Final

from hmz_backend.watch.instruments import Instruments

BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
EVERY_S: Final = 0.5


class LoopLag:
    """Measures the lag.

    Parameters
    ----------
    made
        Makes the instrument.
    """

    def __init__(self, made: Instruments) -> None:
        self._lag = made.seconds(
            "event_loop_lag_seconds",
            "How much too late the event loop comes to what is due; all requests wait as long.",
            bounds=BOUNDS_S,
        )

    async def measure(self) -> None:
        """Measure from time to time, until cancelled."""
        while True:
            due_s = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._lag.observe(max(0.0, time.monotonic() - due_s))
