"""The way to the engine: small windows, so that the queue stays ours.

The engine knows no persons and cannot be asked to reorder; so it gets twice as many tiles as it has
instances, and everything else waits here for its fair turn. Models that are computed by the same
instances have one window, others their own. Runs on the event loop.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from numpy.typing import NDArray

from hmz_backend.dispatch.engine_clock import EngineClock, Stay
from hmz_backend.dispatch.window import Window
from hmz_backend.engines.protocol import Engine, TileRequest
from hmz_backend.shares.turn import Turn
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import EngineBusy, EngineUnavailable

log = logging.getLogger(__name__)
Model = tuple[str, str]
T = TypeVar("T")
TILES_PER_INSTANCE = 2  # one that is computed, and the next one at hand


@dataclass(frozen=True, slots=True)
class Patience:
    """How failures that may pass are met.

    Parameters
    ----------
    first_s, longest_s
        The first pause, doubled up to the longest.
    total_s
        After this long without success, the error is raised.
    """

    first_s: float = 0.2
    longest_s: float = 10.0
    total_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Computed:
    """One tile's outputs, and the seconds of an instance that it took."""

    outputs: Mapping[str, NDArray[Any]]
    engine_s: float


@dataclass(frozen=True, slots=True)
class _Instances:
    """What computes some models: the window to it, and its time."""

    window: Window
    clock: EngineClock


@dataclass
class Dispatcher:
    """Hands tiles to the engine.

    Parameters
    ----------
    engine
        What computes.
    timeout_s
        How long one tile may take.
    patience
        How an engine that is busy or down is met.
    interactive_cap
        The most that interactive tiles take of a model while others wait, from 0 to 1.
    watch
        Is told of every tile.
    """

    engine: Engine
    timeout_s: float = 600.0
    patience: Patience = Patience()
    interactive_cap: float = 0.75
    watch: Watch = field(default_factory=Watch)
    _instances: dict[Model, _Instances] = field(default_factory=dict)
    _pools: dict[str, _Instances] = field(default_factory=dict)
    _trouble: dict[Model, str] = field(default_factory=dict)

    async def infer(self, request: TileRequest, turn: Turn) -> Computed:
        """Return the outputs for one tile, once it is its turn, and what it took.

        Raises
        ------
        EngineBusy, EngineUnavailable
            If that lasts longer than the patience.
        EngineFailed
            If the model fails on this tile.
        """
        model = (request.model, request.version)

        async def compute() -> Computed:
            # The place is given back in a pause: others may be computed then.
            async with self.place(*model, turn) as stay:
                outputs = await self.engine.infer(request, timeout_s=self.timeout_s)
            return Computed(outputs, stay.engine_s)

        with self.watch.traces.span("tile", hmz__model=request.model, hmz__voxels=turn.voxels):
            return await self._insist(model, compute)

    @asynccontextmanager
    async def place(self, model: str, version: str, turn: Turn) -> AsyncIterator[Stay]:
        """Wait for a place at the engine, and give it back at the end: then the time is known."""
        key = (model, version)
        found = self._instances.get(key) or await self._find_instances(key)
        asked_s = time.monotonic()
        async with found.window.place(turn):
            waited_s = time.monotonic() - asked_s
            self.watch.work.tile_waited(model, turn.share.urgency, waited_s)
            with (
                self.watch.work.tile(model, turn.voxels),
                self.watch.traces.span("engine", hmz__model=model, hmz__version=version),
                found.clock.stay() as stay,
            ):
                yield stay

    async def ready(self, model: str, version: str) -> None:
        """Load a model that has not been used yet, or say at once that the engine does not.

        Raises
        ------
        EngineUnavailable
            If it cannot be reached, or cannot load the model.
        """
        if (model, version) not in self._instances:
            await self.engine.describe(model, version)

    def trouble(self, model: str, version: str) -> str:
        """Say why tiles of this model wait for the engine; empty while they do not."""
        return self._trouble.get((model, version), "")

    @property
    def troubles(self) -> str:
        """What is wrong with the engine, for any model."""
        return "; ".join(sorted(set(self._trouble.values())))

    def windows(self) -> Mapping[str, Window]:
        """Return all windows: those that several models share by the name of their instances."""
        pools = {name: each.window for name, each in self._pools.items()}
        shared = set(map(id, pools.values()))
        alone = {" ".join(key): each.window for key, each in self._instances.items()}
        return pools | {name: each for name, each in alone.items() if id(each) not in shared}

    async def _find_instances(self, model: Model) -> _Instances:
        capacity = await self._insist(model, lambda: self.engine.describe(*model))
        count = max(1, capacity.instances)
        window = Window(count * TILES_PER_INSTANCE, TwoClasses(self.interactive_cap))
        made = _Instances(window, EngineClock(count))
        if capacity.pool:
            made = self._pools.setdefault(capacity.pool, made)
        return self._instances.setdefault(model, made)

    async def _insist(self, model: Model, call: Callable[[], Awaitable[T]]) -> T:
        pause_s, waited_s = self.patience.first_s, 0.0
        while True:
            try:
                answer = await call()
            except (EngineBusy, EngineUnavailable) as error:
                self.watch.work.engine_failed(model[0], error.code)
                if waited_s >= self.patience.total_s:
                    raise
                if model not in self._trouble:
                    log.warning("%s %s waits for the engine: %s", *model, error.detail)
                self._trouble[model] = error.detail
                await asyncio.sleep(pause_s)  # the engine has to come back by itself
                waited_s += pause_s
                pause_s = min(2 * pause_s, self.patience.longest_s)
            else:
                self._trouble.pop(model, None)
                return answer
