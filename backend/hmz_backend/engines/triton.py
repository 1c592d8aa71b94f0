"""The Triton engine: one or several Triton servers over gRPC; the only module that speaks to them.

gRPC, since its calls can be cancelled: what is still queued in Triton is dropped. Everything here
runs in one event loop. A server that does not answer is left alone for `RETRY_S`, and tried again
after that.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never, TypeVar

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from hmz_backend.engines.protocol import Capacity, TileRequest
from hmz_backend.engines.triton_name import network_name, tensor_name, triton_name
from hmz_backend.engines.words import FAILED, KIND, WORDS, tile_failed, words_of
from napari_hmz.errors import EngineBusy, EngineFailed, EngineUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

RETRY_S = 2.0
"""How long a server that did not answer is passed over while others do."""
CONTROL_TIMEOUT_S = 120.0
"""For loading a model."""
REACHED = "StatusCode.UNAVAILABLE"
LATE = "StatusCode.DEADLINE_EXCEEDED"
CANCELLED = "StatusCode.CANCELLED"
UNFIT = "StatusCode.INVALID_ARGUMENT"
LOST_MODEL = ("Stub process", "is not healthy", "not ready", "unexpected exit")
"""Words with which Triton 2.51 says that a model process has died; it never starts another."""
NO_MODEL = ("unknown model", "is not found", "is not ready", "has no available versions")
FULL = "maximum queue size"
Result = TypeVar("Result")


@dataclass
class Server:
    """One Triton server, and how much it has of ours."""

    url: str
    client: Any
    in_flight: int = 0
    shunned_until: float = 0.0
    loaded: dict[str, Capacity] = field(default_factory=dict)
    loading: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )


class TritonEngine:
    """Runs tiles on Triton servers whose repository `zoo.triton_repository` wrote; an `Engine`.

    Parameters
    ----------
    servers
        gRPC addresses, `host:port`.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._urls = tuple(servers)
        self._servers: list[Server] = []
        self._closed = False

    async def describe(self, model: str, version: str) -> Capacity:
        """Load a model on every server that answers, and say how many tiles they run together.

        Raises
        ------
        EngineUnavailable
            If no server answers, or none can load the model.
        """
        servers = self._opened()
        name = triton_name(model, version)
        results = await asyncio.gather(
            *(self._ensure(server, name) for server in servers), return_exceptions=True
        )
        capacities = [result for result in results if isinstance(result, Capacity)]
        if not capacities:
            raise next(error for error in results if isinstance(error, BaseException))
        instances = sum(capacity.instances for capacity in capacities)
        return Capacity(instances=instances, device=capacities[0].device)

    async def infer(
        self, request: TileRequest, *, timeout_s: float
    ) -> "Mapping[str, NDArray[Any]]":
        """Compute one tile on the server that has the least to do.

        Raises
        ------
        EngineUnavailable
            If no server answers, or none has the model.
        EngineBusy
            If the answer is late, the queue full, or a model process was lost.
        EngineFailed
            If the model failed on the tile, or the tile does not fit it.
        """
        deadline = time.monotonic() + timeout_s
        inputs = _inputs(request)
        reasons: list[EngineUnavailable] = []
        for server in self._in_order():
            try:
                return await self._infer_on(server, request, inputs, deadline)
            except EngineUnavailable as error:
                reasons.append(error)
        raise reasons[0]

    async def _infer_on(
        self, server: Server, request: TileRequest, inputs: Sequence[InferInput], deadline: float
    ) -> "Mapping[str, NDArray[Any]]":
        name = triton_name(request.model, request.version)
        server.in_flight += 1
        try:
            await self._ensure(server, name)
            try:
                return await _call(server, name, inputs, deadline)
            except InferenceServerException as error:
                if not _says(error, NO_MODEL):
                    raise
                server.loaded.pop(name, None)  # it was restarted, or the model unloaded by others
            await self._ensure(server, name)
            return await _call(server, name, inputs, deadline)
        except InferenceServerException as error:
            if _says(error, LOST_MODEL):
                await self._replace(server, name)
            _raise(error, server, request)
        finally:
            server.in_flight -= 1

    async def _ensure(self, server: Server, name: str) -> Capacity:
        async with server.loading[name]:
            if name not in server.loaded:
                server.loaded[name] = await _controlled(server, name, _load(server, name))
            return server.loaded[name]

    async def _replace(self, server: Server, name: str) -> None:
        # Only unloading and loading brings a dead process back; whoever comes second finds it done.
        async with server.loading[name]:
            if server.loaded.pop(name, None) is not None:
                await _controlled(server, name, server.client.unload_model(name))

    def _opened(self) -> list[Server]:
        if self._closed:
            raise EngineUnavailable("The Triton engine is closed.")
        if not self._servers:  # clients belong to the event loop that they are made in
            self._servers = [Server(url, InferenceServerClient(url)) for url in self._urls]
        return self._servers

    def _in_order(self) -> list[Server]:
        now = time.monotonic()
        return sorted(self._opened(), key=lambda s: (s.shunned_until > now, s.in_flight))

    async def close(self) -> None:
        """Close the connections; calls in the air fail."""
        self._closed = True
        servers, self._servers = self._servers, []
        for server in servers:
            await server.client.close()


def _inputs(request: TileRequest) -> list[InferInput]:
    tensors = [_words_input(words_of(request))]
    for name, array in request.inputs.items():
        code = np_to_triton_dtype(array.dtype)
        if code is None:
            raise tile_failed(request, name, f"dtype {array.dtype} cannot be sent")
        tensor = InferInput(tensor_name(name, array.dtype.name), list(array.shape), code)
        tensor.set_data_from_numpy(np.ascontiguousarray(array))
        tensors.append(tensor)
    return tensors


def _words_input(words: str) -> InferInput:
    tensor = InferInput(WORDS, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([words.encode()], dtype=np.object_))
    return tensor


async def _controlled(server: Server, name: str, action: Awaitable[Result]) -> Result:
    try:
        async with asyncio.timeout(CONTROL_TIMEOUT_S):
            return await action
    except TimeoutError as error:
        raise EngineUnavailable(f"Triton at {server.url} did not load {name} in time.") from error
    except InferenceServerException as error:
        if error.status() == REACHED and not _says(error, NO_MODEL):
            _shun(server)
            raise EngineUnavailable(_unreachable(server)) from error
        reason = _first_line(error)
        raise EngineUnavailable(f"Triton at {server.url} cannot load {name}: {reason}.") from error


async def _load(server: Server, name: str) -> Capacity:
    client = server.client
    if not await client.is_model_ready(name):
        await client.load_model(name)
    answer = await client.get_model_config(name, as_json=True)
    config = answer["config"]
    kind = config.get("parameters", {}).get(KIND, {}).get("string_value")
    if kind == "bls" and not await client.is_model_ready(network_name(name)):
        await client.load_model(network_name(name))
    groups = config.get("instance_group") or [{}]
    instances = sum(int(group.get("count", 1)) for group in groups)
    kinds = {str(group.get("kind", "")) for group in groups}
    return Capacity(instances=instances, device="gpu" if "KIND_GPU" in kinds else "cpu")


async def _call(
    server: Server, name: str, inputs: Sequence[InferInput], deadline: float
) -> "Mapping[str, NDArray[Any]]":
    left_s = max(0.001, deadline - time.monotonic())
    result = await server.client.infer(name, inputs, client_timeout=left_s)
    names = [output.name for output in result.get_response().outputs]
    return {name: result.as_numpy(name) for name in names}


def _raise(error: InferenceServerException, server: Server, request: TileRequest) -> Never:
    message, status = str(error.message() or ""), error.status()
    if FAILED in message:
        document = message.partition(FAILED)[2]
        words = json.JSONDecoder().raw_decode(document)[0]
        raise tile_failed(request, words["tensor"], words["cause"]) from error
    if status in (LATE, CANCELLED):
        raise EngineBusy(f"Triton at {server.url} did not answer in time.") from error
    if FULL in message or _says(error, LOST_MODEL):
        raise EngineBusy(f"Triton at {server.url}: {_first_line(error)}.") from error
    if status == REACHED:
        _shun(server)
        raise EngineUnavailable(_unreachable(server)) from error
    if status == UNFIT:
        tensor = next((n for n in request.inputs if f"'{n}" in message), "")
        raise tile_failed(request, tensor, _first_line(error)) from error
    raise EngineFailed(
        f"{request.model} {request.version} failed in Triton: {_first_line(error)}."
    ) from error


def _shun(server: Server) -> None:
    server.shunned_until = time.monotonic() + RETRY_S
    server.loaded.clear()  # whoever comes back may be another process


def _unreachable(server: Server) -> str:
    return f"Triton at {server.url} cannot be reached."


def _says(error: InferenceServerException, words: Sequence[str]) -> bool:
    message = str(error.message() or "")
    return any(word in message for word in words)


def _first_line(error: InferenceServerException) -> str:
    line = str(error.message() or "no reason given").strip().splitlines()[0]
    return line.removeprefix("[request id: <id_unknown>] ").rstrip(".;")[:500]
