"""The executor seam: what gets block tasks done, here or on other machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NewType, Protocol

from hmz_backend.shares.turn import ALONE, Turn

if TYPE_CHECKING:
    from napari_hmz.errors import HmzError

Ticket = NewType("Ticket", str)
Phase = Literal["waiting", "running", "done", "failed", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class BlockTask:
    """One block of one run: everything else is found in the run's folder."""

    run: str
    block: int
    turn: Turn = ALONE
    """For whom, and what it weighs: who shares the places with others goes in fair turns."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: `lost` where nothing is known of it."""

    phase: Phase
    error: "HmzError | None" = None
    receipt: str = ""
    """What a task that is done has said of what it wrote."""
    ahead: int = 0
    """While it waits: how many others' turns come before the next one of its share."""


class Executor(Protocol):
    """Gets tasks done; called from the event loop of the backend."""

    async def submit(self, task: BlockTask) -> Ticket:
        """Take a task; its result is what it writes in the run's folder, and its receipt."""

    async def poll(
        self, tickets: Sequence[Ticket], *, timeout_s: float
    ) -> Mapping[Ticket, Outcome]:
        """Return one outcome per ticket, waiting up to `timeout_s` for one of them to end.

        An unknown ticket is `lost`, and never hides the others.
        """

    async def cancel(self, ticket: Ticket) -> None:
        """Stop a task; stopping what has ended, or was never there, is no error."""

    async def close(self) -> None:
        """Cancel everything and release workers."""
