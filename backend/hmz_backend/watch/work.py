"""The work: tiles at the engine, voxels of runs, how runs end."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hmz_backend.watch.instruments import Instruments
from napari_hmz.errors import HmzError, InternalError

BOUNDS_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
WAIT_BOUNDS_S: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)


class WorkMetrics:
    """Counts what is computed; models are those of the zoo.

    Parameters
    ----------
    made
        Makes the instruments.
    """

    def __init__(self, made: Instruments) -> None:
        self._tiles = made.counter(
            "tiles_total",
            "Tiles that left the engine; outcome: done, cancelled, or the code of the error. "
            "A tile that is tried again counts again.",
            "model",
            "outcome",
        )
        self._wait = made.seconds(
            "tile_wait_seconds",
            "How long a tile waited for its turn at the engine.",
            "model",
            "urgency",
            bounds=WAIT_BOUNDS_S,
        )
        self._engine = made.seconds(
            "tile_engine_seconds",
            "How long a tile held its place at the engine, transport included.",
            "model",
            bounds=BOUNDS_S,
        )
        self._tile_voxels = made.counter(
            "tile_voxels_total", "Voxels of tiles that were computed, halo included.", "model"
        )
        self._failures = made.counter(
            "engine_failures_total",
            "Times that the engine could not be used for a model, by the code of the error.",
            "model",
            "code",
        )
        self._voxels = made.counter(
            "run_voxels_total", "Voxels of runs that are done: their blocks, without halo.", "model"
        )
        self._ended = made.counter(
            "runs_ended_total", "Runs that ended, by model and last state.", "model", "state"
        )
        self._written = made.counter(
            "output_written_bytes_total", "Bytes written of outputs that are arrays."
        )

    def tile_waited(self, model: str, urgency: str, seconds: float) -> None:
        """Count a tile whose turn has come."""
        self._wait.labels(model, urgency).observe(seconds)

    @contextmanager
    def tile(self, model: str, voxels: int) -> Iterator[None]:
        """Count a tile that is at the engine while the context lasts."""
        begun_s, outcome = time.monotonic(), "done"
        try:
            yield
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            self._tiles.labels(model, outcome).inc()
            self._engine.labels(model).observe(time.monotonic() - begun_s)
            if outcome == "done":
                self._tile_voxels.labels(model).inc(voxels)

    def engine_failed(self, model: str, code: str) -> None:
        """Count a time that the engine could not be used."""
        self._failures.labels(model, code).inc()

    def voxels_done(self, model: str, voxels: int) -> None:
        """Count voxels of blocks that are done."""
        self._voxels.labels(model).inc(voxels)

    def run_ended(self, model: str, state: str) -> None:
        """Count a run that has ended."""
        self._ended.labels(model, state).inc()

    def written(self, size: int) -> None:
        """Count bytes of an output; called from any thread."""
        self._written.inc(size)


def _outcome(error: BaseException) -> str:
    if isinstance(error, HmzError):
        return error.code
    is_left = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return "cancelled" if is_left else InternalError.code
