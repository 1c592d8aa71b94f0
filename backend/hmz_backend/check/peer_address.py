"""The address for other server processes: it leads to the process that is set up here, to no other.

Which process answers is seen by whether it leads: a request that says that it was passed on already
is answered by the leader alone. Two that both stand by are not told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.listening import url_here
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.peers.passage import PASSED_ON
from hmz_backend.settings import Settings
from napari_hmz.errors import ServerBusy
from napari_hmz.schema import wire

LOOKS: Final = 3
"""Who leads may change between two questions: what is seen once is no proof."""
MEND: Final = "Name an address that leads to this process alone, and check where it runs."


class Part(Enum):
    """What a process does, as it answers."""

    LEADS = "It leads to this process, which leads."
    STANDS_BY = "It leads to a process that stands by, as this one does."
    NO_BACKEND = "Something else is there."
    AWAY = "Nobody answers there."


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Looks at `peer_url`."""

    settings: Settings

    @property
    def subject(self) -> str:
        """Which address."""
        return f"address for peers {self.settings.peer_url}"

    def look(self) -> Sequence[Finding]:
        """Return whether others reach this process there."""
        here_url = url_here(self.settings.host, self.settings.port)
        for _ in range(LOOKS):
            there, here = _part(self.settings.peer_url), _part(here_url)
            if {there, here} != {Part.LEADS, Part.STANDS_BY}:
                break
        return [_judged(there, here, f"{self.settings.host}:{self.settings.port}")]


def _judged(there: Part, here: Part, place: str) -> Finding:
    runs_here = here in (Part.LEADS, Part.STANDS_BY)
    if there is Part.NO_BACKEND:
        return wrong(there.value, "Correct peer_url.")
    if there is Part.AWAY and runs_here:
        words = f"{there.value} The backend runs at {place}."
        return wrong(words, "Correct peer_url, or let the firewall admit the other processes.")
    if there is Part.AWAY:
        return warning(f"{there.value} The backend does not run here.", "Start it; check again.")
    if not runs_here:
        return wrong(f"A backend answers there, but none does at {place}: it is another.", MEND)
    if there is not here:
        return wrong("It leads to another process of the backend.", MEND)
    return ok(there.value)


def _part(url: str) -> Part:
    try:
        answer = asked("GET", url + wire.HEALTH, headers={PASSED_ON: "1"})
    except NoAnswer:
        return Part.AWAY
    if answer.status == OK and "engine" in answer.document:
        return Part.LEADS
    is_busy = answer.document.get("code") == ServerBusy.code
    return Part.STANDS_BY if is_busy else Part.NO_BACKEND
