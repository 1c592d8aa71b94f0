"""An engine of plain functions: what runs and dispatch are tested with."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from hmz_backend.engines.protocol import Capacity, TileRequest
from hmz_backend.engines.words import tile_failed
from hmz_backend.serving import ServingError
from napari_hmz.errors import EngineBusy, EngineUnavailable

Arrays = Mapping[str, NDArray[Any]]
Computation = Callable[[TileRequest], Arrays]


class FakeEngine:
    """Computes tiles by functions in the event loop's own thread pool; an `Engine`.

    Parameters
    ----------
    models
        (model id, version) -> function; a `ServingError` that it raises becomes `EngineFailed`.
    instances
        How many tiles run at the same time.
    delay_s
        What each tile takes beside its function.

    Attributes
    ----------
    requests
        All tiles that were begun, in order.
    available
        Set it to False to make the engine go away.
    """

    def __init__(
        self,
        models: Mapping[tuple[str, str], Computation],
        *,
        instances: int = 2,
        delay_s: float = 0.0,
    ) -> None:
        self._models = models
        self._instances = instances
        self._delay_s = delay_s
        self._free = asyncio.Semaphore(instances)
        self.requests: list[TileRequest] = []
        self.available = True

    async def describe(self, model: str, version: str) -> Capacity:
        """Return the number of instances of a known model."""
        self._computation(model, version)
        return Capacity(instances=self._instances, pool="fake")

    async def infer(self, request: TileRequest, *, timeout_s: float) -> Arrays:
        """Compute one tile by its function."""
        computation = self._computation(request.model, request.version)
        try:
            async with asyncio.timeout(timeout_s), self._free:
                self.requests.append(request)
                await asyncio.sleep(self._delay_s)
                return await asyncio.to_thread(computation, request)
        except TimeoutError as error:
            raise EngineBusy(f"No answer within {timeout_s:g} s.") from error
        except ServingError as error:
            raise tile_failed(request, error.tensor, error.cause) from error

    async def close(self) -> None:
        """Go away for good."""
        self.available = False

    def _computation(self, model: str, version: str) -> Computation:
        if not self.available:
            raise EngineUnavailable("The fake engine is gone.")
        if (model, version) not in self._models:
            raise EngineUnavailable(f"The engine has no model {model} {version}.")
        return self._models[model, version]
