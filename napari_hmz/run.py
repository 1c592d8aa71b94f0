"""A run, from its start until its output is written: watched, waited for, cancelled.

Threads: the methods may be called from any thread. The transfers have threads of their own
(`transfer`); nothing is called back in the caller's.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_hmz import errors, schema
from napari_hmz.arrivals import Arrivals, Shelf
from napari_hmz.errors import HmzError
from napari_hmz.http import Http
from napari_hmz.objects import ObjectTable, row_table
from napari_hmz.patience import Patience
from napari_hmz.schema import AxisName, ChunkDone, Event, Focus, Interval, slices, wire
from napari_hmz.standing import Gauge, Standing
from napari_hmz.transfer import Download, FetchedChunk, OutputStore, Traffic, Upload, run_events

log = logging.getLogger(__name__)
_SLICE_S = 0.5  # so that Ctrl-C is heard while a thread is waited for
_GRACE_S = 10.0


class RunOutput(Protocol):
    """Where the results of a run are written on this machine."""

    @property
    def path(self) -> Path:
        """Of the store."""

    @property
    def chunks(self) -> Shelf:
        """Takes the chunks as they come; called from several threads."""

    def finish(self, run: schema.Run, tables: Iterable[tuple[str, ObjectTable]], /) -> None:
        """Write what is known only at the end of a run that is done: its tables, by name, too."""

    def close(self) -> None:
        """Write no more: another process may; twice is no error."""


class Run:
    """A run on a backend, with the transfers that this process does for it.

    Parameters
    ----------
    http
        The backend.
    run
        The run as the backend told of it last.
    uploads
        Send the volumes; none if another process does, or nothing is missing.
    output
        Takes the results; None if nobody wants them on this machine.
    traffic
        Counts what the transfers carried.
    threads, patience_s
        For fetching.
    """

    def __init__(
        self,
        http: Http,
        run: schema.Run,
        *,
        uploads: Sequence[Upload] = (),
        output: RunOutput | None = None,
        traffic: Traffic | None = None,
        threads: int = 4,
        patience_s: float = 600.0,
    ) -> None:
        self.id = run.id
        self.transfer = traffic or Traffic()
        self._gauge = Gauge(self.transfer)
        self._http, self._last, self._uploads, self._output = http, run, uploads, output
        self._patience_s = patience_s
        self._stop = threading.Event()
        self._finish_lock = threading.Lock()
        self._finished = False
        self._stores: dict[str, OutputStore] = {}
        self._arrivals = None if output is None else Arrivals(output.chunks, self._is_fetched)
        self._follower = Download(
            http,
            run.id,
            run.plan.outputs if output is not None else (),
            self._arrivals.take if self._arrivals is not None else _nowhere,
            wants=output.chunks.wants if output is not None else lambda _: False,
            traffic=self.transfer,
            threads=threads,
            patience_s=patience_s,
            heard=self._gauge.note,
        )
        self._following, self._lack_told = False, False
        if output is not None:
            self._follow()

    @property
    def plan(self) -> schema.Plan:
        """What the run does, and what was doubtful in what was asked."""
        return self._last.plan

    @property
    def stored_at(self) -> Path | None:
        """Where this process writes the results; None if it does not."""
        return None if self._output is None else self._output.path

    def info(self) -> schema.Run:
        """Return the run as the backend knows it now.

        Raises
        ------
        BackendUnreachable, NotFound
            If nobody answers, or the run was removed.
        """
        self._last = self._http.get(wire.run(self.id), schema.Run)
        return self._last

    def standing(self) -> Standing:
        """Return where the run stands: what it does or waits for, how fast, how long still.

        Bytes per second are counted from earlier calls, up to a quarter of a minute back.

        Raises
        ------
        BackendUnreachable, NotFound
            If nobody answers, or the run was removed.
        """
        run = self.info()
        self._gauge.state, self._gauge.progress = run.state, run.progress
        return self._gauge.standing()

    def watch(self, *, after: int = 0) -> Iterator[Event]:
        """Yield what happens, from the event after number `after` until the run has ended.

        Raises
        ------
        BackendUnreachable
            If the connection is lost for longer than the settings allow.
        """
        patience = Patience(self._patience_s, self._stop)
        yield from run_events(self._http, self.id, patience=patience, after=after)

    def wait(self, timeout_s: float | None = None) -> schema.Run:
        """Wait until the run is done and its output, if one was asked for, is written.

        Returns
        -------
        run
            As it ended; after `timeout_s` as it is then, which its `state` tells.

        Raises
        ------
        RunCancelled
            If it was cancelled.
        HmzError
            What it failed with, or what kept the image from being read, sent or written here;
            with how to go on.
        """
        if not self._await_end(timeout_s):
            return self.info()
        self._raise(self._own_error())
        run = self.info()
        self._raise(self._error_of(run))
        self._finish(run)
        return run

    def cancel(self) -> None:
        """Stop the run; its finished chunks stay, and cancelling twice is no error."""
        self._http.post(wire.cancel(self.id), None)

    def focus(self, region: Mapping[AxisName, Interval]) -> None:
        """Have the blocks that touch `region` of the volume computed first."""
        self._http.post(wire.focus(self.id), Focus(region=dict(region)))

    def seen(self, *, shows: bool = True) -> None:
        """Say that the first results are on show: what was held back of the image is sent.

        If they show nothing, a little more of it is, until some do.
        """
        for upload in self._uploads:
            upload.seen(shows=shows)

    def array(self, output: str = "labels") -> "zarr.Array[Any]":
        """Return an output that is read over the network, as far as it is done.

        A table is an array (row, column) once its run is done.

        Raises
        ------
        NotFound
            If the run has no such output.
        """
        plan = self._last.plan
        names = [*(each.name for each in plan.outputs), *(each.name for each in plan.tables)]
        if output not in names:
            raise errors.NotFound(f"Run {self.id} has no output {output!r}; it has {names}.")
        store = self._stores.setdefault(output, OutputStore(self._http, self.id, output))
        return zarr.open_array(store, mode="r")

    def values(self, done: ChunkDone) -> NDArray[Any] | None:
        """Return the values of a chunk that is done, in the output's axes; None: all fill value.

        What this process writes to its disk is read there, and so fetched once.
        """
        if not done.digest:
            return None
        written = None if self._arrivals is None else self._arrivals.read(done)
        if written is not None:
            return written
        axes = next(each.axes for each in self._last.plan.outputs if each.name == done.output)
        return np.asarray(self.array(done.output)[slices(done.region, axes)])

    def table(self, output: str) -> ObjectTable:
        """Return the points, boxes or other rows of a run that is done.

        Raises
        ------
        NotFound
            If the run has no such table, or is not done.
        """
        found = {table.name: table for table in self._last.plan.tables}
        if output not in found:
            raise errors.NotFound(f"Run {self.id} has no table {output!r}; it has {list(found)}.")
        try:
            rows = np.asarray(self.array(output)[...], np.float64)
        except FileNotFoundError as error:
            raise errors.NotFound(
                f"The table {output!r} of run {self.id} is not whole yet.",
                remedy="Wait until the run is done.",
            ) from error
        return row_table(found[output], rows)

    def rows(self, output: str, key: str) -> NDArray[np.float64]:
        """Return the rows (row, column) that one block has given, as `RowsDone` tells of them.

        Raises
        ------
        NotFound
            If there are none.
        """
        table = next(each for each in self._last.plan.tables if each.name == output)
        body = self._http.get_bytes(wire.output(self.id, output, key))
        return np.frombuffer(body, "<f8").reshape(-1, len(table.columns))

    def close(self) -> None:
        """End this process's part; the run goes on, and `attach` takes it up again."""
        self._stop.set()
        self._follower.stop()
        if self._following:
            self._follower.join(_SLICE_S)
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        plan = self._last.plan
        return f"<Run {self.id} of {plan.model} {plan.version}: {self._last.state}>"

    def _is_fetched(self) -> bool:
        """Return whether all that is written here has come, or no more will."""
        return self._stop.is_set() or (self._following and self._follower.join(0.0))

    def _follow(self) -> None:
        if not self._following:
            self._following = True
            self._follower.start()

    def _await_end(self, timeout_s: float | None) -> bool:
        self._follow()
        deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while not self._follower.join(min(_SLICE_S, max(deadline - time.monotonic(), 0.0))):
            if self._upload_error is not None:
                # It has cancelled the run; if that cannot be heard, it is over all the same.
                self._follower.join(_GRACE_S)
                return True
            if time.monotonic() >= deadline:
                return False
            self._tell_lack()
        return True

    def _tell_lack(self) -> None:
        """Say once that the run waits for what cannot be sent from here: it may wait for ever."""
        lack = "" if self._lack_told else self._gauge.standing().lack
        if lack:
            self._lack_told = True
            log.warning("%s", lack)

    @property
    def _upload_error(self) -> HmzError | None:
        return next((each.error for each in self._uploads if each.error is not None), None)

    def _raise(self, error: HmzError | None) -> None:
        """Raise what the run has ended with, if so early: others may go on with its output now."""
        if error is not None:
            self._let_go()
            raise error

    def _own_error(self) -> HmzError | None:
        if self._upload_error is not None:
            what = "The run was stopped, since its image did not arrive; what is finished is kept"
            return self._with_way_on(self._upload_error, what)
        if self._follower.error is not None:
            return self._with_way_on(self._follower.error, "The run itself was not stopped")
        if self._stop.is_set():
            return errors.RunCancelled(
                f"This process has stopped following run {self.id}.",
                remedy=f"It goes on at the backend: `hmz attach {self.id}`.",
            )
        return None

    def _error_of(self, run: schema.Run) -> HmzError | None:
        if run.state == "failed":
            error = errors.from_problem(run.error) if run.error else errors.RunFailed()
            return self._with_way_on(error, "What is finished is kept")
        if run.state == "cancelled":
            return errors.RunCancelled(
                f"Run {self.id} was cancelled.",
                remedy=f"What is finished is kept: {self._way_on} goes on with it.",
            )
        return None

    def _with_way_on(self, error: HmzError, what: str) -> HmzError:
        """Return the error with how the run is gone on with, unless it says so itself."""
        if "hmz attach" in error.remedy:
            return error
        if isinstance(error, errors.DataError):  # an image that was mended is another one
            remedy = f"{error.remedy} Then run it anew (--overwrite)."
            return type(error)(error.detail, remedy=remedy.strip(), request_id=error.request_id)
        way = f"{what}: once that is put right, {self._way_on} goes on with it."
        remedy = f"{error.remedy} {way}".strip()
        return type(error)(error.detail, remedy=remedy, request_id=error.request_id)

    @property
    def _way_on(self) -> str:
        return f"`hmz attach {self.id}` (in Python, attach(..., resume=True))"

    def _finish(self, run: schema.Run) -> None:
        with self._finish_lock:
            if not self._finished and self._output is not None:
                names = [table.name for table in run.plan.tables]
                self._output.finish(run, ((name, self.table(name)) for name in names))
            self._finished = True
        self._let_go()

    def _let_go(self) -> None:
        if self._output is not None:
            self._output.close()


def _nowhere(_: FetchedChunk) -> None:
    """Take a chunk that nobody wanted."""


def cancel_quietly(http: Http, run_id: str) -> Callable[[HmzError], None]:
    """Return what ends a run whose image cannot be sent; nobody else could go on with it."""

    def cancel(_: HmzError) -> None:
        try:
            http.post(wire.cancel(run_id), None, patience=Patience(5.0))
        except HmzError:
            return  # the reason for the failure is told by whoever waits for the run

    return cancel
