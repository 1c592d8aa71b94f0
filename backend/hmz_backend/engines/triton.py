"""The Triton engine: one or several Triton servers over gRPC; the only module that speaks to them.

gRPC, since its calls can be cancelled: what is still queued in Triton is dropped. With a server on
this machine, tiles lie in memory that both have mapped (`shared_tiles`), and a call only says
where; where that cannot be had, tiles travel in the calls. Everything here runs in one event loop.
A server that does not answer is left alone for `RETRY_S`, and tried again after that.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import (
    InferenceServerException,
    np_to_triton_dtype,
    triton_to_np_dtype,
)

from hmz_backend.engines.protocol import Capacity, TileRequest
from hmz_backend.engines.shared_tiles import SharedRegion, SharedTiles, places
from hmz_backend.engines.triton_name import network_name, tensor_name, triton_name
from hmz_backend.engines.triton_words import (
    LOST_MODEL,
    NO_MODEL,
    NO_REGION,
    REACHED,
    REGION_IN_USE,
    RESULT_TOO_LARGE,
    first_line,
    meaning,
    says,
    unreachable,
)
from hmz_backend.engines.words import KIND, WORDS, tile_failed, words_of
from hmz_backend.watch.traces import passed_on
from napari_hmz.errors import EngineUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

RETRY_S = 2.0
"""How long a server that did not answer is passed over while others do."""
CONTROL_TIMEOUT_S = 120.0
"""For loading a model."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Result = TypeVar("Result")
Sizes = Mapping[str, int]
"""Output name -> bytes; empty: not to be had before the tile is computed."""


@dataclass
class Server:
    """One Triton server, and how much it has of ours."""

    url: str
    client: Any
    tiles: SharedTiles | None = None
    result_sizes: dict[Hashable, Sizes] = field(default_factory=dict)
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
    shared_memory
        Whether tiles may lie in memory shared with a server on this machine.
    """

    def __init__(self, servers: Sequence[str], *, shared_memory: bool = True) -> None:
        self._urls = tuple(servers)
        self._shared_memory = shared_memory
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
        _check_dtypes(request)
        reasons: list[EngineUnavailable] = []
        for server in self._in_order():
            try:
                return await self._infer_on(server, request, deadline)
            except EngineUnavailable as error:
                reasons.append(error)
        raise reasons[0]

    async def _infer_on(
        self, server: Server, request: TileRequest, deadline: float
    ) -> "Mapping[str, NDArray[Any]]":
        name = triton_name(request.model, request.version)
        server.in_flight += 1
        try:
            await self._ensure(server, name)
            try:
                return await _compute(server, name, request, deadline)
            except InferenceServerException as error:
                if not says(error, NO_MODEL):
                    raise
                server.loaded.pop(name, None)  # it was restarted, or the model unloaded by others
            await self._ensure(server, name)
            return await _compute(server, name, request, deadline)
        except InferenceServerException as error:
            if says(error, LOST_MODEL):
                await self._replace(server, name)
            found = meaning(error, server.url, request)
            if isinstance(found, EngineUnavailable):
                _shun(server)
            raise found from error
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
            self._servers = [self._made(url) for url in self._urls]
        return self._servers

    def _made(self, url: str) -> Server:
        client = InferenceServerClient(url)
        here = self._shared_memory and _is_here(url)
        return Server(url, client, SharedTiles(_Regions(client)) if here else None)

    def _in_order(self) -> list[Server]:
        now = time.monotonic()
        return sorted(self._opened(), key=lambda s: (s.shunned_until > now, s.in_flight))

    async def close(self) -> None:
        """Close the connections; calls in the air fail."""
        self._closed = True
        servers, self._servers = self._servers, []
        for server in servers:
            if server.tiles is not None:
                with contextlib.suppress(InferenceServerException):  # it may have ended before us
                    await server.tiles.close()
            await server.client.close()


class _Regions:
    """A Triton's list of system shared memory; a `Registry`."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 # Triton's client is untyped
        self._client = client

    async def attach(self, name: str, size_bytes: int) -> bool:
        try:
            await self._client.register_system_shared_memory(name, f"/{name}", size_bytes)
        except InferenceServerException as error:
            if error.status() == REACHED:
                raise
            return False  # it does not see our memory, or may not use it
        return True

    async def detach(self, name: str) -> bool:
        try:
            await self._client.unregister_system_shared_memory(name)
        except InferenceServerException as error:
            if not says(error, REGION_IN_USE):
                raise
            return False
        return True

    async def names(self) -> Sequence[str]:
        status = await self._client.get_system_shared_memory_status()
        return list(status.regions)


def _is_here(url: str) -> bool:
    return urlsplit(f"//{url}").hostname in LOOPBACK


def _check_dtypes(request: TileRequest) -> None:
    for name, array in request.inputs.items():
        if np_to_triton_dtype(array.dtype) is None:
            raise tile_failed(request, name, f"dtype {array.dtype} cannot be sent")


def _input(name: str, array: "NDArray[Any]") -> InferInput:
    code = np_to_triton_dtype(array.dtype)
    return InferInput(tensor_name(name, array.dtype.name), list(array.shape), code)


def _sent_inputs(request: TileRequest) -> list[InferInput]:
    tensors = [_words_input(words_of(request))]
    for name, array in request.inputs.items():
        tensor = _input(name, array)
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
        if error.status() == REACHED and not says(error, NO_MODEL):
            _shun(server)
            raise unreachable(server.url) from error
        reason = first_line(error)
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


async def _compute(
    server: Server, name: str, request: TileRequest, deadline: float
) -> "Mapping[str, NDArray[Any]]":
    """Compute a tile through shared memory if that can be had, else by sending it."""
    if server.tiles is None:
        return _received(await _call(server, name, _sent_inputs(request), None, deadline))
    tile = _shape_of(name, request)
    sizes = server.result_sizes.get(tile, {})
    *starts, end = places([*(array.nbytes for array in request.inputs.values()), *sizes.values()])
    region = await server.tiles.take(end)
    if region is None:
        return _received(await _call(server, name, _sent_inputs(request), None, deadline))
    inputs = [_words_input(words_of(request))]
    for (given, array), start in zip(request.inputs.items(), starts, strict=False):
        region.put(array, start)
        inputs.append(_input(given, array))
        inputs[-1].set_shared_memory(region.name, array.nbytes, start)
    results = dict(zip(sizes, starts[len(request.inputs) :], strict=True))
    outputs = _outputs(region, sizes, results)
    try:
        result = await _call(server, name, inputs, outputs, deadline)
    except InferenceServerException as error:
        server.tiles.give_up(region)
        if says(error, RESULT_TOO_LARGE):  # not always of one size: no place is kept for it again
            server.result_sizes[tile] = {}
            return await _compute(server, name, request, deadline)
        if not says(error, NO_REGION):
            raise
        server.tiles.forget()  # Triton is another process than before
        return await _compute(server, name, request, deadline)
    except BaseException:  # cancelled: Triton may still be at work in the region
        server.tiles.give_up(region)
        raise
    if not outputs:
        server.tiles.give_back(region)
        server.result_sizes.setdefault(tile, _sizes(result))
        return _received(result)
    return _placed(result, server.tiles.results(region), results)


def _shape_of(model: str, request: TileRequest) -> Hashable:
    """Return what tells tiles apart whose results may have other sizes."""
    inputs = ((name, array.dtype.name, array.shape) for name, array in request.inputs.items())
    parts = request.used.items()
    used = ((name, axis, end - start) for name, p in parts for axis, (start, end, _) in p.items())
    return model, tuple(inputs), tuple(used)


def _outputs(
    region: SharedRegion, sizes: Sizes, starts: Mapping[str, int]
) -> list[InferRequestedOutput] | None:
    outputs = []
    for name, size in sizes.items():
        outputs.append(InferRequestedOutput(name))
        outputs[-1].set_shared_memory(region.name, size, starts[name])
    return outputs or None


async def _call(
    server: Server,
    name: str,
    inputs: Sequence[InferInput],
    outputs: Sequence[InferRequestedOutput] | None,
    deadline: float,
) -> Any:  # noqa: ANN401 # Triton's result is untyped
    left_s = max(0.001, deadline - time.monotonic())
    return await server.client.infer(
        name, inputs, outputs=outputs, client_timeout=left_s, headers=dict(passed_on()) or None
    )


def _received(result: Any) -> "Mapping[str, NDArray[Any]]":  # noqa: ANN401 # as above
    names = [output.name for output in result.get_response().outputs]
    return {name: result.as_numpy(name) for name in names}


def _placed(
    result: Any,  # noqa: ANN401 # as above
    memory: "NDArray[np.uint8]",
    starts: Mapping[str, int],
) -> "Mapping[str, NDArray[Any]]":
    arrays = {}
    for output in result.get_response().outputs:
        dtype, start = np.dtype(triton_to_np_dtype(output.datatype)), starts[output.name]
        values = memory[start : start + prod(output.shape) * dtype.itemsize]
        arrays[output.name] = values.view(dtype).reshape(output.shape)
    return arrays


def _sizes(result: Any) -> Sizes:  # noqa: ANN401 # as above
    """Return what the outputs of a tile of this shape take; nothing if one is made of texts."""
    outputs = result.get_response().outputs
    if any(output.datatype == "BYTES" for output in outputs):
        return {}
    dtypes = [np.dtype(triton_to_np_dtype(output.datatype)) for output in outputs]
    return {
        output.name: prod(output.shape) * dtype.itemsize
        for output, dtype in zip(outputs, dtypes, strict=True)
    }


def _shun(server: Server) -> None:
    server.shunned_until = time.monotonic() + RETRY_S
    server.loaded.clear()  # whoever comes back may be another process
    if server.tiles is not None:
        server.tiles.forget()
