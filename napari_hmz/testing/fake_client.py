"""A client without a backend: it computes a threshold in this process, block by block.

It tells the same events as the real one, provisional ids and joins included, and a test decides
how far it may go. Its methods may be called from any thread, as the real client's.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import HmzError, NotFound, RunCancelled, VoxelSizeMismatch
from napari_hmz.forecast import Forecast
from napari_hmz.record import RunRecord
from napari_hmz.schema import (
    ENDED,
    ChunkDone,
    Event,
    LabelsMerged,
    Me,
    ModelCard,
    ParameterValue,
    Progress,
    Progressed,
    Region,
    Run,
    RunState,
    Sizes,
    StateChanged,
    Urgency,
    extents,
    full_region,
    resolve_parameters,
    slices,
)
from napari_hmz.testing.fake_plan import ReadableSource, blocks, in_volume, output_array, run_of
from napari_hmz.transfer import Traffic

FIRST_PROVISIONAL = 1000
"""Provisional ids of the fake are this plus the number of the block."""


@dataclass
class FakeClient:
    """A client of models that all do the same: 1 where the volume is above a threshold.

    Parameters
    ----------
    cards
        The models it offers.
    gate
        One `release` lets one block be computed; none: nothing holds it up.
    block
        The block's extents; an axis that is not named is taken whole.
    refuse
        An error that every run is refused with; a wrong voxel size can be ignored.
    break_off
        An error that watching ends with, after the first block.
    unsendable
        What keeps the image from being sent after the first block: the run is then cancelled.
    stored_at
        Where runs say that their results are written; nothing is.
    """

    cards: Sequence[ModelCard]
    gate: threading.Semaphore | None = None
    block: Sizes = field(default_factory=lambda: {"y": 16, "x": 16})
    refuse: HmzError | None = None
    break_off: HmzError | None = None
    unsendable: HmzError | None = None
    stored_at: Path | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Thumbnails by model."""
    away: HmzError | None = None
    """An error that the list of runs, and the question whether anybody is there, end with."""
    closed: bool = False
    runs_started: list["FakeRun"] = field(default_factory=list)

    url = "http://127.0.0.1:1"

    def check(self) -> None:
        """Do nothing, or raise `away`."""
        if self.away is not None:
            raise self.away

    def me(self) -> Me:
        """Return the owner of this machine's backend."""
        return Me(issuer="local", subject="owner", credential="shared")

    def models(
        self,
        task: str | None = None,
        query: str | None = None,
        *,
        fresh: bool = False,  # noqa: ARG002 # these never change
    ) -> tuple[ModelCard, ...]:
        """Return the cards, of one task or with a word in their name if asked."""
        return tuple(
            card
            for card in self.cards
            if task in (None, card.task) and (query or "").lower() in card.name.lower()
        )

    def picture(self, card: ModelCard) -> bytes:
        """Return the thumbnail of a model, or raise `NotFound`."""
        if card.id not in self.pictures:
            raise NotFound("The model has no such picture.")
        return self.pictures[card.id]

    def plan(
        self,
        model: str,
        source: ReadableSource,
        *,
        inputs: Mapping[str, ReadableSource] | None = None,
        version: str | None = None,
        parameters: Mapping[str, ParameterValue] | None = None,
        region: Region | None = None,
        output: Path | None = None,
        channels: Sequence[int] | None = None,
        join_planes: bool = False,
        ignore_voxel_size: bool = False,
        urgency: Urgency = "batch",
    ) -> Forecast:
        """Return what a run would do; raises as `run`."""
        run = self._run_of(model, source, version, parameters, region, sized=ignore_voxel_size)
        run.join_planes, run.channels, run.output = join_planes, tuple(channels or ()), output
        run.urgency, run.inputs = urgency, dict(inputs or {})
        return Forecast(**dict(run.info().plan), memory_here_bytes=2**30)

    def run(
        self,
        model: str,
        source: ReadableSource,
        *,
        inputs: Mapping[str, ReadableSource] | None = None,
        version: str | None = None,
        parameters: Mapping[str, ParameterValue] | None = None,
        region: Region | None = None,
        output: Path | None = None,
        channels: Sequence[int] | None = None,
        join_planes: bool = False,
        ignore_voxel_size: bool = False,
        urgency: Urgency = "batch",
        focus: Region | None = None,
        watched: bool = False,
    ) -> "FakeRun":
        """Start a run.

        Raises
        ------
        HmzError
            `refuse`, if it is set.
        NotFound
            If there is no such model.
        """
        run = self._run_of(model, source, version, parameters, region, sized=ignore_voxel_size)
        run.join_planes, run.channels, run.output = join_planes, tuple(channels or ()), output
        run.urgency, run.inputs = urgency, dict(inputs or {})
        run.looked_at += [focus] if focus else []
        run.is_held = watched
        run.id = f"fake-{len(self.runs_started) + 1}"
        self.runs_started.append(run)
        return run

    def _run_of(
        self,
        model: str,
        source: ReadableSource,
        version: str | None,
        parameters: Mapping[str, ParameterValue] | None,
        region: Region | None,
        *,
        sized: bool,
    ) -> "FakeRun":
        if self.refuse is not None and not (isinstance(self.refuse, VoxelSizeMismatch) and sized):
            raise self.refuse
        card = next((c for c in self.cards if c.id == model and version in (None, c.version)), None)
        if card is None:
            raise NotFound(f"There is no model {model!r}.")
        values, _ = resolve_parameters(card.parameters, parameters or {})
        return FakeRun(self, card, source, values, region or {})

    def runs(self) -> tuple[Run, ...]:
        """Return the runs that were started, the newest first; raises `away` if it is set."""
        self.check()
        return tuple(run.info() for run in reversed(self.runs_started))

    def attach(
        self,
        run_id: str,
        *,
        resume: bool = False,
        source: Any = None,  # noqa: ANN401 # as a client takes it
    ) -> "FakeRun":
        """Return a run; one that was cancelled goes on if it is resumed."""
        run = self._known(run_id)
        run.given = source
        if resume:
            run.resume()
        return run

    def cancel(self, run_id: str) -> None:
        """Stop a run."""
        self._known(run_id).cancel()

    def remove(self, run_id: str) -> None:
        """Forget a run."""
        self.runs_started.remove(self._known(run_id))

    def record(self, _: str) -> RunRecord | None:
        """Return nothing: this machine remembers no fake."""
        return None

    def _known(self, run_id: str) -> "FakeRun":
        for run in self.runs_started:
            if run.id == run_id:
                return run
        raise NotFound(f"There is no run {run_id}.")

    def close(self) -> None:
        """Do as if connections were closed."""
        self.closed = True


class FakeRun:
    """A run of the fake client; all state is its own."""

    def __init__(
        self,
        client: FakeClient,
        card: ModelCard,
        source: ReadableSource,
        parameters: Mapping[str, ParameterValue],
        region: Region,
    ) -> None:
        self.parameters = dict(parameters)
        self.region = full_region(source.request.shape) | region
        self.output: Path | None = None
        self.join_planes = False
        self.urgency: Urgency = "batch"
        self.channels: tuple[int, ...] = ()
        self.inputs: dict[str, ReadableSource] = {}
        self.transfer = Traffic()
        self.looked_at: list[Region] = []
        self.is_held = False
        self.given: Any = None
        """The image that the last to attach had."""
        self.cancelled = threading.Event()
        self._card, self._source = card, source
        self._gate, self._break_off = client.gate, client.break_off
        self._unsendable = client.unsendable
        self.stored_at = client.stored_at
        self._output = output_array(card, source.request, self.region, client.block)
        shape = tuple(self._output.shape[axis] for axis in self._output.axes)
        self._array = np.zeros(shape, self._output.dtype)
        self._numbers = iter(range(1, 1_000_000))
        self._state: RunState = "queued"
        self._progress = Progress()
        self._told: list[Event] = []
        self.id = "fake"

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def info(self) -> Run:
        """Return the run as it is now."""
        run = run_of(self._card, self._source.request, self._output, self.region, self.parameters)
        made = run.provenance.model_copy(update={"run": self.id})
        told = {"id": self.id, "state": self._state, "progress": self._progress}
        return run.model_copy(update={**told, "provenance": made})

    def values(self, done: ChunkDone) -> NDArray[Any] | None:
        """Return a chunk that is done; None if there is nothing in it."""
        part = self._array[slices(done.region, self._output.axes)]
        return part if done.digest else None

    def rows(self, output: str, key: str) -> NDArray[np.float64]:
        """Raise `NotFound`: the fake has no tables."""
        raise NotFound(f"The run has no table {output!r} with {key}.")

    def focus(self, region: Region) -> None:
        """Remember what was looked at."""
        self.looked_at.append(region)

    def seen(self, *, shows: bool = True) -> None:
        """Hold nothing back any more once something shows."""
        self.is_held = self.is_held and not shows

    def resume(self) -> None:
        """Let it be computed anew, if it was cancelled."""
        if self.cancelled.is_set():
            self.cancelled.clear()
            self._state = "queued"

    def cancel(self) -> None:
        """Stop before the next block."""
        self.cancelled.set()
        if self._gate is not None:
            self._gate.release()

    def wait(self) -> Run:
        """Return the run as it ended.

        Raises
        ------
        RunCancelled
            If it was cancelled.
        HmzError
            `unsendable`, if the client has cancelled it because of that.
        """
        if self._unsendable is not None:
            raise self._unsendable
        if self.cancelled.is_set():
            raise RunCancelled
        return self.info()

    def watch(self) -> Iterator[Event]:
        """Compute the run and yield its events; those of one that has ended are told again."""
        if self._state in ENDED:
            yield from self._told
            return
        self._told.clear()
        for event in self._computed():
            self._told.append(event)
            yield event

    def _computed(self) -> Iterator[Event]:
        regions = list(blocks(self._output))
        yield self._changed("running")
        for index, region in enumerate(regions):
            if self._gate is not None:
                self._gate.acquire()
            if self.cancelled.is_set():
                yield self._changed("cancelled")
                return
            yield from self._block(index, region, len(regions))
            if self._break_off is not None:
                raise self._break_off
            if self._unsendable is not None:
                self.cancelled.set()
        yield from self._join(regions)
        yield self._changed("done")

    def _block(self, index: int, region: Region, total: int) -> Iterator[Event]:
        values = self._source.read(in_volume(region, self.region, self._source.request))
        values = values.reshape(tuple(extents(region)[axis] for axis in self._output.axes))
        if self._output.kind == "instance-labels":
            threshold = float(str(self.parameters.get("threshold", 0)))
            values = np.where(values > threshold, FIRST_PROVISIONAL + index, 0)
        self._array[slices(region, self._output.axes)] = values
        yield self._done(region, final=self._output.kind != "instance-labels")
        self._progress = Progress(blocks_done=index + 1, blocks_total=total)
        yield Progressed(number=next(self._numbers), progress=self._progress)

    def _join(self, regions: Sequence[Region]) -> Iterator[Event]:
        """Join all provisional ids, then give the final ones: 1 everywhere."""
        if self._output.kind != "instance-labels":
            return
        yield self._changed("joining")
        pairs = tuple(
            (FIRST_PROVISIONAL + index, FIRST_PROVISIONAL + index - 1)
            for index in range(1, len(regions))
        )
        yield LabelsMerged(number=next(self._numbers), output=self._output.name, pairs=pairs)
        self._array[self._array > 0] = 1
        for region in regions:
            yield self._done(region, final=True)

    def _done(self, region: Region, *, final: bool) -> ChunkDone:
        stored = self._array[slices(region, self._output.axes)].any()
        places = [
            region[axis][0] // self._output.chunks[axis] if self._output.chunks[axis] else 0
            for axis in self._output.axes
        ]
        return ChunkDone(
            number=next(self._numbers),
            output=self._output.name,
            key="c/" + "/".join(map(str, places)),
            region=region,
            final=final,
            digest="sha" if stored else "",
        )

    def _changed(self, state: RunState) -> StateChanged:
        self._state = state
        return StateChanged(number=next(self._numbers), state=state)
