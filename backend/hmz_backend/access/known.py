"""Rights that were found lately: whoever sends thousands of chunks is looked up once.

An owner stays the owner. What was shared may be taken back, by another process too, so that is
asked again after a moment; in this process it is forgotten at once.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hmz_backend.access.rights import Right
from hmz_backend.identity.protocol import Principal

MOST: Final = 4096
GUEST_S: Final = 1.0  # how long a right that was shared is believed without a question
Key = tuple[str, str, str, frozenset[str]]


@dataclass
class KnownRights:
    """Remembers rights; on the event loop only.

    Parameters
    ----------
    clock_s
        Tells seconds that only go on.
    """

    clock_s: Callable[[], float] = time.monotonic
    _found: OrderedDict[Key, tuple[Right, float]] = field(default_factory=OrderedDict)

    def get(self, caller: Principal, thing: str) -> Right | None:
        """Return what a caller may do with a volume or run; none: it has to be asked."""
        right, until_s = self._found.get(_key(caller, thing), (None, 0.0))
        return right if self.clock_s() < until_s else None

    def put(self, caller: Principal, thing: str, right: Right) -> None:
        """Remember what was found; that somebody has no right is asked each time."""
        if right is Right.NONE:
            return
        lasts_s = float("inf") if right is Right.OWN else GUEST_S
        key = _key(caller, thing)
        self._found[key] = (right, self.clock_s() + lasts_s)
        self._found.move_to_end(key)
        if len(self._found) > MOST:
            self._found.popitem(last=False)

    def forget(self) -> None:
        """Forget everything: something was taken back or removed."""
        self._found.clear()


def _key(caller: Principal, thing: str) -> Key:
    return (thing, caller.issuer, caller.subject, caller.groups)
