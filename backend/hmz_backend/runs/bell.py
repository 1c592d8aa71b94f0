"""A bell: whoever waits at that moment is woken. Runs on the event loop."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Bell:
    """Wakes any number of listeners."""

    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Wake everyone who waits."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    def next(self) -> asyncio.Event:
        """Return what will be set by the next ring: take it *before* looking at what may change."""
        return self._event


async def wait_for(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for a ring; return whether there was one in time."""
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True
