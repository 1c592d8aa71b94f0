"""The pace of one caller's requests: a little too many are held up, far too many refused."""

import asyncio
import time
from dataclasses import dataclass

from hmz_backend.identity.protocol import Principal
from hmz_backend.shares.rate import Rate
from hmz_backend.shares.turn import holder_of
from napari_hmz.errors import LimitReached

LONGEST_S = 1.0  # held up longer, requests would pile up here: the client can wait as well


@dataclass(frozen=True, slots=True)
class RequestPace:
    """Keeps each caller to a rate.

    Parameters
    ----------
    rate
        Counts their requests.
    """

    rate: Rate

    async def admit(self, caller: Principal) -> None:
        """Return once the caller may ask.

        Raises
        ------
        LimitReached
            If that is not soon.
        """
        holder, now_s = holder_of(caller.issuer, caller.subject), time.monotonic()
        wait_s = self.rate.wait_s(holder, now_s)
        if wait_s > LONGEST_S:
            raise LimitReached(
                f"One person may make {self.rate.per_s:g} requests per second here.",
                remedy="Wait a moment, and send fewer at once.",
                retry_after_s=wait_s,
            )
        self.rate.count(holder, now_s)
        if wait_s:
            await asyncio.sleep(wait_s)
