"""What is written down of calls to `/v2`: what they used, and that they were made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hmz_backend.audit.entry import OK, Entry
from hmz_backend.audit.summary import Summary
from hmz_backend.dispatch.engine_clock import Stay
from hmz_backend.identity.protocol import Principal
from hmz_backend.usage.amount import MICROSECONDS, Account, Amount
from hmz_backend.usage.tally import Tally
from napari_hmz.errors import HmzError
from napari_hmz.schema import ModelCard

GIVEN_UP = "given-up"
"""The caller has gone before the answer was read."""


@dataclass
class Call:
    """One call, while it goes on."""

    stay: Stay = field(default_factory=Stay)
    used: Amount | None = None

    def answered(self, *, voxels: int, bytes_up: int, bytes_down: int) -> None:
        """Take what it used: the engine has computed it."""
        self.used = Amount(tiles=1, voxels=voxels, bytes_up=bytes_up, bytes_down=bytes_down)


@dataclass(frozen=True, slots=True)
class Accounting:
    """Tells ledger and audit trail of each call.

    Parameters
    ----------
    usage
        The ledger; it counts what the engine has computed.
    trail
        It hears of all calls, also of those that came to nothing.
    """

    usage: Tally
    trail: Summary

    @contextmanager
    def of(self, caller: Principal, card: ModelCard) -> Iterator[Call]:
        """Follow a call to its end, whatever that is."""
        call, outcome = Call(), GIVEN_UP
        try:
            yield call
            outcome = OK
        except HmzError as error:
            outcome = error.code
            raise
        finally:
            self._end(caller, card, call, outcome)

    def _end(self, caller: Principal, card: ModelCard, call: Call, outcome: str) -> None:
        about = {"model": card.id, "version": card.version}
        more = {"model_digest": card.digest}
        self.trail.note(Entry("model.inferred", caller, **about, outcome=outcome, more=more))
        if call.used is not None:
            engine = Amount(engine_us=round(call.stay.engine_s * MICROSECONDS))
            self.usage.add(Account.of(caller, card.id, card.version), call.used + engine)
