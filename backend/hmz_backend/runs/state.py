"""The state of a run: kept and told in one transaction."""

import asyncio
from dataclasses import dataclass

from hmz_backend.audit.entry import NOBODY, Entry, Named, Who
from hmz_backend.audit.trail import recording
from hmz_backend.runs import records
from hmz_backend.runs.act import run_act
from hmz_backend.runs.clock import now
from hmz_backend.runs.log import RunLog
from napari_hmz.errors import DiskFull, HmzError
from napari_hmz.schema import Event, OutputResult, Run, RunState, StateChanged, to_problem

SPACE_S = 5.0


@dataclass
class StateKeeper:
    """Keeps the state of one run.

    Parameters
    ----------
    run
        As it is.
    log
        Where its events go.
    owner
        Whose it is.
    """

    run: Run
    log: RunLog
    owner: Who = NOBODY

    async def enter(self, state: RunState, *, act: Entry | None = None, **changes: object) -> None:
        """Keep and tell that the run has entered a state, by which act of somebody."""
        run = self.run = self.run.model_copy(update={"state": state, **changes})

        def event(number: int) -> Event:
            return StateChanged(number=number, state=run.state, error=run.error)

        last = None if act is None else recording(act)
        await self.log.append([event], lambda c: records.change_run(c, run), last=last)

    async def start(self) -> None:
        """Enter `running`; the first start counts."""
        await self.enter("running", started_at=self.run.started_at or now())

    async def queue_again(self, by: Who) -> None:
        """Enter `queued` after an end that somebody takes back."""
        provenance = self.run.provenance.model_copy(update={"ended_at": None})
        act = run_act("run.resumed", by, self.run)
        await self.enter(
            "queued", act=act, error=None, results=(), ended_at=None, provenance=provenance
        )

    async def done(self, results: tuple[OutputResult, ...]) -> None:
        """Enter `done`."""
        await self._insist("done", run_act("run.ended", self._owner, self.run), results=results)

    async def fail(self, error: HmzError) -> None:
        """Enter `failed`."""
        act = run_act("run.ended", self._owner, self.run, outcome=error.code)
        await self._insist("failed", act, error=to_problem(error))

    async def cancel(self, error: HmzError, act: Entry) -> None:
        """Enter `cancelled`, which somebody wants."""
        await self._insist("cancelled", act, error=to_problem(error))

    @property
    def _owner(self) -> Who:
        """Whose run it is that ends by itself: no credential was shown for that."""
        return Named(self.owner.issuer, self.owner.subject)

    async def _insist(self, state: RunState, act: Entry, **changes: object) -> None:
        while True:
            try:
                await self.enter(state, act=act, **changes, **self._times())
            except DiskFull:
                await asyncio.sleep(SPACE_S)  # a disk that is full takes no last word either
            else:
                return

    def _times(self) -> dict[str, object]:
        at = now()
        times = {"started_at": self.run.started_at, "ended_at": at}
        return {"ended_at": at, "provenance": self.run.provenance.model_copy(update=times)}
