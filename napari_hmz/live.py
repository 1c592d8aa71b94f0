"""A run that can be watched: its outputs as arrays that fill while the chunks arrive.

`follow` runs in a worker thread: it waits for events, fetches chunks, decodes them and writes them
into canvases. The thread that draws only reads the canvases' arrays, and learns from the updates
which part is new. A canvas is written by one thread only.
"""

import mmap
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import HmzError, RunCancelled
from napari_hmz.schema import (
    ENDED,
    ChunkDone,
    Event,
    LabelsMerged,
    OutputArray,
    Region,
    RowsDone,
    Run,
    StateChanged,
    slices,
)
from napari_hmz.sheet import Sheet
from napari_hmz.standing import Carrier, Gauge, Standing

HUGE_BYTES = 2**26
"""Of an array this large, memory is taken page by page as it fills (`_sparse`)."""
MEMORY_CAP_BYTES = 2 * 2**30
"""A larger output is kept in a temporary file that the system pages in and out."""


class WatchedRun(Protocol):
    """What following asks of a run; the client's `Run` is one."""

    @property
    def transfer(self) -> Carrier:
        """Counts what this process carries for the run."""

    @property
    def stored_at(self) -> Path | None:
        """Where this process writes the results; None if it does not."""

    def info(self) -> Run:
        """Return the run as the backend knows it."""

    def watch(self) -> Iterator[Event]:
        """Yield what happens until the run has ended."""

    def values(self, done: ChunkDone) -> NDArray[Any] | None:
        """Return the values of a chunk that is done; None: it is all fill value."""

    def rows(self, output: str, key: str) -> NDArray[np.float64]:
        """Return the rows (row, column) of a table that one block has given."""

    def wait(self) -> Run:
        """Return the run as it ended, or raise what ended it: also what this side could not do."""

    def focus(self, region: Region) -> None:
        """Have the blocks that touch a region of the volume computed first."""

    def seen(self, *, shows: bool = True) -> None:
        """Hear that results are on show, and whether there is something: more may be sent."""

    def cancel(self) -> object:
        """Ask the backend to stop; finished chunks stay."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The run is accepted: these canvases and sheets will fill."""

    handle: WatchedRun
    run: Run
    canvases: Mapping[str, "Canvas"]
    standing: Standing
    sheets: Mapping[str, Sheet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """A table has more rows."""

    output: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A part of a canvas has new values."""

    output: str
    region: Region


@dataclass(frozen=True, slots=True)
class Advanced:
    """The run has come further, or waits for something else."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over: done, failed or cancelled."""

    run: Run
    stored_at: Path | None = None
    """Where its results are written, complete by now."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The run could not be started, or not be followed any more."""

    error: HmzError


Update = Begun | Filled | Listed | Advanced | Ended | Broken


@dataclass(eq=False)
class Canvas:
    """One output as a local array that fills.

    Parameters
    ----------
    output
        What the run writes: axes, shape, dtype.
    array
        The values, in the output's axes; 0 where nothing has arrived.
    low, high
        The span of the values that have arrived; equal as long as there are none.
    """

    output: OutputArray
    array: NDArray[Any]
    low: float = 0.0
    high: float = 0.0
    _provisional: dict[str, tuple[Region, NDArray[Any]]] = field(default_factory=dict)
    _shown: dict[int, int] = field(default_factory=dict)

    @property
    def is_in_file(self) -> bool:
        """Whether the values are too many for memory, and lie in a temporary file."""
        return isinstance(self.array, np.memmap)

    def fill(self, done: ChunkDone, values: NDArray[Any] | None) -> None:
        """Write a chunk that has arrived; None: it is all fill value."""
        part = self.array[slices(done.region, self.output.axes)]
        part[...] = 0 if values is None else values
        if self.output.kind == "instance-labels":
            self._remember(done, part)
        elif (finite := part[np.isfinite(part)]).size:
            self.low = min(self.low, float(finite.min()))
            self.high = max(self.high, float(finite.max()))

    def merge(self, pairs: Iterable[tuple[int, int]]) -> list[Region]:
        """Show joined objects under one id, and return where something changed.

        Final chunks hold final ids already and are left alone.
        """
        new = dict(pairs)
        self._shown.update(new)
        ids = np.array(sorted(new))
        changed = []
        for key, (region, present) in list(self._provisional.items()):
            if np.isin(ids, present).any():
                part = self.array[slices(region, self.output.axes)]
                self._provisional[key] = (region, self._relabel(part))
                changed.append(region)
        return changed

    def _remember(self, done: ChunkDone, part: NDArray[Any]) -> None:
        if done.final:
            self._provisional.pop(done.key, None)
        else:
            self._provisional[done.key] = (done.region, self._relabel(part))

    def _relabel(self, part: NDArray[Any]) -> NDArray[Any]:
        """Apply all joins to a part of the array in place; return the ids that it holds."""
        mask = part != 0
        present, places = np.unique(part[mask], return_inverse=True)
        shown = np.array([self._id_shown(int(old)) for old in present], dtype=part.dtype)
        if not np.array_equal(shown, present):
            part[mask] = shown[places]
        return shown

    def _id_shown(self, old: int) -> int:
        """Follow the joins from `old` to the id that is shown for it."""
        seen = {old}
        while (new := self._shown.get(old, old)) not in seen:
            seen.add(new)
            old = new
        return old


def blank(output: OutputArray, *, memory_cap_bytes: int = MEMORY_CAP_BYTES) -> Canvas:
    """Return an empty canvas for an output, in memory or in a temporary file.

    The file has no name that outlives it: it goes when the array goes.
    """
    shape = tuple(output.shape[axis] for axis in output.axes)
    dtype = np.dtype(output.dtype)
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize <= memory_cap_bytes:
        return Canvas(output, _sparse(shape, dtype))
    with tempfile.TemporaryFile(prefix="napari-hmz-") as file:
        return Canvas(output, np.memmap(file, dtype, "w+", shape=shape))


def _sparse(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros that take memory only where something is written.

    For numpy's own, Linux takes huge pages: the first chunk, which touches a little of many, would
    have hundreds of MiB cleared before it is shown.
    """
    size_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if sys.platform != "linux" or size_bytes < HUGE_BYTES:
        return np.zeros(shape, dtype)
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, size_bytes, private), dtype).reshape(shape)


def follow(handle: WatchedRun, *, memory_cap_bytes: int = MEMORY_CAP_BYTES) -> Iterator[Update]:
    """Yield what happens to a run while its canvases fill, until it has ended.

    Raises
    ------
    HmzError
        If the backend cannot be reached any more, or refuses.
    """
    run = handle.info()
    canvases = {
        output.name: blank(output, memory_cap_bytes=memory_cap_bytes) for output in run.plan.outputs
    }
    gauge = Gauge(handle.transfer, state=run.state, progress=run.progress)
    sheets = {table.name: Sheet(table) for table in run.plan.tables}
    yield Begun(handle, run, canvases, gauge.standing(), sheets)
    for event in handle.watch():
        if isinstance(event, RowsDone):
            sheets[event.output].add(event.key, handle.rows(event.output, event.key))
            yield Listed(event.output)
        yield from _take(handle, canvases, event)
        if gauge.note(event):
            yield Advanced(gauge.standing())
        if isinstance(event, StateChanged) and event.state in ENDED:
            break
    yield _end(handle)


def perform(start: Callable[[], WatchedRun]) -> Iterator[Update]:
    """Start a run and follow it; what goes wrong as foreseen is the last update."""
    try:
        yield from follow(start())
    except HmzError as error:
        yield Broken(error)


def _end(handle: WatchedRun) -> Ended:
    """Return the run as it ended; raise why this side has cancelled it, if it has.

    A run whose image cannot be read or sent is cancelled by the client: only `wait` tells why. It
    also waits for what is written here.
    """
    run = handle.info()
    if run.state == "cancelled":
        with suppress(RunCancelled):  # by the person
            handle.wait()
    if run.state != "done" or handle.stored_at is None:
        return Ended(run)
    return Ended(handle.wait(), handle.stored_at)


def _take(handle: WatchedRun, canvases: Mapping[str, Canvas], event: Event) -> Iterator[Filled]:
    if isinstance(event, ChunkDone):
        canvases[event.output].fill(event, handle.values(event))
        yield Filled(event.output, event.region)
    elif isinstance(event, LabelsMerged):
        for region in canvases[event.output].merge(event.pairs):
            yield Filled(event.output, region)
