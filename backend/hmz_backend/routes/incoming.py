"""What is on its way in: bodies of pixels take memory while they come, however slowly they do."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from hmz_backend.shares.turn import Holder
from napari_hmz.errors import LimitReached, ServerBusy

MOST_BYTES: Final = 4 * 2**30
"""Of all people; nothing of it is taken before it has come."""
MOST_BYTES_EACH: Final = 2**30
"""Of one person: many times what the credit of a client allows."""


@dataclass
class Incoming:
    """Counts what may still come of the bodies that have begun. Runs on the event loop.

    Parameters
    ----------
    most_bytes, most_bytes_each
        Of all, and of one person.
    """

    most_bytes: int = MOST_BYTES
    most_bytes_each: int = MOST_BYTES_EACH
    _taken: Counter[Holder] = field(default_factory=Counter)

    @contextmanager
    def body(self, holder: Holder, size_bytes: int) -> Iterator[None]:
        """Count a body until it is dealt with; a person's only one is never too much.

        Raises
        ------
        LimitReached
            If too much of this person is under way.
        ServerBusy
            If too much is under way.
        """
        if self._taken[holder] and self._taken[holder] + size_bytes > self.most_bytes_each:
            raise LimitReached("Too many of your chunks are under way at once.")
        if self._taken.total() and self._taken.total() + size_bytes > self.most_bytes:
            raise ServerBusy("Too many chunks are under way at once.")
        self._taken[holder] += size_bytes
        try:
            yield
        finally:
            self._taken[holder] -= size_bytes
            if not self._taken[holder]:
                del self._taken[holder]
