"""The state of a run: kept and told in one transaction."""

import asyncio
from dataclasses import dataclass

from hmz_backend.runs import records
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
    """

    run: Run
    log: RunLog

    async def enter(self, state: RunState, **changes: object) -> None:
        """Keep and tell that the run has entered a state."""
        run = self.run = self.run.model_copy(update={"state": state, **changes})

        def event(number: int) -> Event:
            return StateChanged(number=number, state=run.state, error=run.error)

        await self.log.append([event], lambda connection: records.change_run(connection, run))

    async def start(self) -> None:
        """Enter `running`; the first start counts."""
        await self.enter("running", started_at=self.run.started_at or now())

    async def queue_again(self) -> None:
        """Enter `queued` after an end that is taken back."""
        provenance = self.run.provenance.model_copy(update={"ended_at": None})
        await self.enter("queued", error=None, results=(), ended_at=None, provenance=provenance)

    async def done(self, results: tuple[OutputResult, ...]) -> None:
        """Enter `done`."""
        await self._insist("done", results=results)

    async def end(self, state: RunState, error: HmzError) -> None:
        """Enter `failed` or `cancelled`."""
        await self._insist(state, error=to_problem(error))

    async def _insist(self, state: RunState, **changes: object) -> None:
        while True:
            try:
                await self.enter(state, **changes, **self._times())
            except DiskFull:
                await asyncio.sleep(SPACE_S)  # a disk that is full takes no last word either
            else:
                return

    def _times(self) -> dict[str, object]:
        at = now()
        times = {"started_at": self.run.started_at, "ended_at": at}
        return {"ended_at": at, "provenance": self.run.provenance.model_copy(update=times)}
