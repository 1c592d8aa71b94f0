"""A run that is played back: its results come from memory, at a steady pace.

What a client does with results is done in full (chunks are decoded, joined, written into arrays);
what a backend would do on the same cores is not. So what is measured in the window is the window's.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from benchmarks.generated import AXES
from napari_hmz.errors import NotFound
from napari_hmz.schema import (
    ChunkDone,
    Event,
    LabelsMerged,
    OutputArray,
    Progress,
    Progressed,
    Region,
    Run,
    RunState,
    Sizes,
    StateChanged,
    full_region,
)
from napari_hmz.testing.fake_plan import blocks
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.transfer import Traffic

OBJECTS_PER_CHUNK = 40


@dataclass
class Playback:
    """A `WatchedRun` of instance labels over z, y, x.

    Parameters
    ----------
    shape, chunks
        Extents of the output and of its chunks.
    per_s
        How many chunks are done in a second.
    """

    shape: Sizes
    chunks: Sizes
    per_s: float
    stored_at: Path | None = None
    transfer: Traffic = field(default_factory=Traffic)

    def __post_init__(self) -> None:
        self._output = OutputArray(
            name="labels", kind="instance-labels", axes=AXES, shape=self.shape,
            chunks=self.chunks, dtype="uint32",
        )  # fmt: skip # what matters stands first
        self._regions = list(blocks(self._output))
        self._chunk = _stored(tuple(self.chunks[axis] for axis in AXES))
        self._number = 0

    def info(self) -> Run:
        """Return the run."""
        run = fake_run(self._output, region=full_region(self.shape))
        progress = Progress(blocks_total=len(self._regions))
        return run.model_copy(update={"state": "running", "progress": progress})

    def seen(self, *, shows: bool = True) -> None:
        """Hold nothing back: there is no image."""

    def watch(self) -> Iterator[Event]:
        """Yield what a backend tells of such a run: provisional chunks, joins, final chunks."""
        total = len(self._regions)
        yield self._state("running")
        for done, region in enumerate(self._regions):
            time.sleep(1 / self.per_s)  # the pace of a backend
            yield self._done(region, final=False)
            progress = Progress(blocks_done=done + 1, blocks_total=total, voxels_per_s=1e7)
            yield Progressed(number=self._next(), progress=progress)
        yield self._state("joining")
        pairs = tuple((number + 1, number) for number in range(1, OBJECTS_PER_CHUNK, 2))
        yield LabelsMerged(number=self._next(), output="labels", pairs=pairs)
        for region in self._regions:
            time.sleep(1 / self.per_s)  # the pace of a backend
            yield self._done(region, final=True)
        yield self._state("done")

    def values(self, done: ChunkDone) -> NDArray[np.uint32]:  # noqa: ARG002 # all are alike
        """Return a chunk, decoded anew."""
        return np.asarray(self._chunk[:])

    def rows(self, output: str, key: str) -> NDArray[np.float64]:
        """Raise `NotFound`: there are no tables."""
        raise NotFound(f"There is no table {output} with {key}.")

    def wait(self) -> Run:
        """Return the run."""
        return self.info()

    def focus(self, region: Region) -> None:
        """Do nothing: the order is fixed."""

    def cancel(self) -> None:
        """Do nothing."""

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _state(self, state: RunState) -> StateChanged:
        return StateChanged(number=self._next(), state=state)

    def _done(self, region: Region, *, final: bool) -> ChunkDone:
        key = "c/" + "/".join(str(region[axis][0] // self.chunks[axis]) for axis in AXES)
        return ChunkDone(
            number=self._next(), output="labels", key=key, region=region, final=final, digest="d"
        )


def _stored(shape: tuple[int, ...]) -> Any:  # noqa: ANN401 # zarr's arrays are untyped here
    """Return a chunk of objects, compressed as a backend does."""
    array = zarr.create_array(MemoryStore(), shape=shape, chunks=shape, dtype="uint32")
    values: NDArray[np.uint32] = np.zeros(shape, np.uint32)
    chance = np.random.default_rng(1)
    for number in range(1, OBJECTS_PER_CHUNK + 1):
        low = [int(chance.integers(0, size * 3 // 4)) for size in shape]
        values[tuple(slice(at, at + max(2, s // 6)) for at, s in zip(low, shape, strict=True))] = (
            number
        )
    array[:] = values
    return array
