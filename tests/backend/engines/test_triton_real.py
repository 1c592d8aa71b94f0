"""The Triton engine against the real server: the same bits as the embedded engine, and faults."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.engines.bundled import (
    SHARED_MEMORY,
    Ports,
    RunningTriton,
    model_processes,
    start,
)
from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine, TileRequest
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.testing.engine_contract import (
    CRASH,
    MODEL,
    SLOW,
    SLOW_S,
    VERSION,
    expected,
    spots,
    tile,
)
from hmz_backend.watch.traces import TRACEPARENT, passing_on
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_repository import write_triton_repository
from napari_hmz.errors import EngineBusy, EngineFailed, EngineUnavailable
from napari_hmz.schema import ChannelStatistics, VolumeStatistics

pytestmark = pytest.mark.triton


def grains(dtype: str = "uint16", **parameters: float) -> TileRequest:
    rng = np.random.default_rng(11)
    y, x = np.mgrid[:150, :170]
    centres = rng.uniform(0, 170, (60, 2))
    image = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 30) for a, b in centres)
    image = (image * 180 + rng.normal(20, 4, image.shape)).clip(0, 255)[None].astype(dtype)
    levels = tuple(float(level) for level in range(101))
    channel = ChannelStatistics(
        minimum=float(image.min()),
        maximum=float(image.max()),
        mean=float(image.mean()),
        std=float(image.std()),
        levels=levels,
        quantiles=tuple(float(value) for value in np.percentile(image, levels)),
    )
    statistics = VolumeStatistics(method="exact", sampled_voxels=image.size, channels=(channel,))
    return TileRequest("grains", "1.0.0", {"image": image}, parameters, statistics)


def test_triton_and_the_embedded_engine_give_the_same_bits(
    server: RunningTriton, packages: Path
) -> None:
    requests = [
        grains(dtype, **parameters)
        for dtype in ("uint8", "uint16", "int16", "float32")
        for parameters in ({}, {"level": 0.3, "diameter": 12.5}, {"level": 0.7, "diameter": 6})
    ]

    async def check() -> None:
        folders = {("grains", "1.0.0"): packages / "grains"}
        embedded, triton = EmbeddedEngine(folders, workers=1), TritonEngine([server.grpc_url])
        for request in requests:
            here = (await embedded.infer(request, timeout_s=60))["labels"]
            with passing_on({TRACEPARENT: f"00-{7:032x}-{7:016x}-01"}):  # as where traces are on
                there = (await triton.infer(request, timeout_s=60))["labels"]
            assert here.dtype == there.dtype == np.uint32
            assert here.shape == (150, 170)
            assert here.max() > 20
            np.testing.assert_array_equal(here, there)
        await embedded.close()
        await triton.close()

    asyncio.run(check())


STAND_IN = """
import numpy as np
import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    def initialize(self, args):
        folder = args["model_repository"] + "/" + args["model_version"]
        self.session = onnxruntime.InferenceSession(folder + "/model.onnx")

    def execute(self, requests):
        answers = []
        for request in requests:
            given = backend.get_input_tensor_by_name(request, "input").as_numpy()
            result = self.session.run(None, {"input": given})[0]
            answers.append(backend.InferenceResponse([backend.Tensor("output", result)]))
        return answers
"""


def test_a_network_of_its_own_is_loaded_and_called(packages: Path, tmp_path: Path) -> None:
    """The bundled Triton lacks the onnxruntime backend: a Python model stands in for it."""
    repository = tmp_path / "repository"
    grain = load_package(packages / "grains")
    write_triton_repository([grain], repository, kind="bls", instances=1)
    network = repository / "grains-1_0_0-network"
    text = (network / "config.pbtxt").read_text()
    (network / "config.pbtxt").write_text(
        text.replace('"onnxruntime"', '"python"').replace("KIND_GPU", "KIND_CPU")
    )
    (network / "1" / "model.py").write_text(STAND_IN)

    async def check(url: str) -> None:
        folders = {("grains", "1.0.0"): packages / "grains"}
        embedded, triton = EmbeddedEngine(folders, workers=1), TritonEngine([url])
        here = await embedded.infer(grains(), timeout_s=60)
        there = await triton.infer(grains(), timeout_s=60)
        np.testing.assert_array_equal(here["labels"], there["labels"])
        await embedded.close()
        await triton.close()

    with start(repository, log=tmp_path / "triton.log") as running:
        asyncio.run(check(running.grpc_url))


def test_models_that_do_not_load_say_why(server: RunningTriton) -> None:
    async def check() -> None:
        engine = TritonEngine([server.grpc_url])
        with pytest.raises(EngineUnavailable, match=r"weights\.onnx does not load") as failure:
            await engine.describe("broken", "1.0.0")
        assert "model.py" not in failure.value.detail
        await engine.close()

    asyncio.run(check())


def test_a_crashing_model_loses_its_tile_only(server: RunningTriton) -> None:
    async def check() -> None:
        engine = TritonEngine([server.grpc_url])
        with pytest.raises(EngineBusy):
            await engine.infer(tile(spots(1, holding=CRASH)), timeout_s=60)
        for seed in range(4):
            request = tile(spots(seed))
            result = await engine.infer(request, timeout_s=60)
            np.testing.assert_array_equal(
                result["labels"], expected(request.inputs["image"], request)
            )
        await engine.close()

    asyncio.run(check())


def test_a_killed_triton_is_unavailable_and_usable_when_it_is_back(
    mortal: RunningTriton, repository: Path, tmp_path: Path
) -> None:
    async def check() -> None:
        engine = TritonEngine([mortal.grpc_url])
        await engine.describe(MODEL, VERSION)
        in_the_air = asyncio.create_task(engine.infer(tile(spots(2, holding=SLOW)), timeout_s=60))
        await asyncio.sleep(0.5)  # it is on the server now
        os.kill(mortal.process.pid, signal.SIGKILL)
        with pytest.raises((EngineUnavailable, EngineBusy)):
            await in_the_air
        with pytest.raises(EngineUnavailable):
            await engine.infer(tile(spots(2)), timeout_s=10)
        await asyncio.to_thread(mortal.stop)
        again = await asyncio.to_thread(
            start, repository, ports=mortal.ports, log=tmp_path / "again.log"
        )
        try:
            result = await eventually(engine, tile(spots(2)))
            np.testing.assert_array_equal(result["labels"], expected(spots(2), tile(spots(2))))
        finally:
            await engine.close()
            await asyncio.to_thread(again.stop)

    asyncio.run(check())


async def eventually(engine: Engine, request: TileRequest) -> "Mapping[str, NDArray[Any]]":
    for _ in range(40):
        try:
            return await engine.infer(request, timeout_s=60)
        except (EngineUnavailable, EngineBusy):
            await asyncio.sleep(0.25)  # gRPC connects again by its own clock
    raise AssertionError("the engine did not come back")


def test_of_several_servers_the_living_one_is_used(server: RunningTriton) -> None:
    async def check() -> None:
        nobody = f"127.0.0.1:{Ports().filled().grpc}"
        engine = TritonEngine([nobody, server.grpc_url])
        capacity = await engine.describe(MODEL, VERSION)
        assert capacity.instances == 1
        for seed in range(3):
            request = tile(spots(seed))
            result = await engine.infer(request, timeout_s=60)
            np.testing.assert_array_equal(
                result["labels"], expected(request.inputs["image"], request)
            )
        await engine.close()

    asyncio.run(check())


@pytest.mark.parametrize("shared_memory", [True, False])
def test_tiles_lie_in_shared_memory_if_they_may(
    server: RunningTriton, *, shared_memory: bool
) -> None:
    async def play() -> list[bool]:
        engine = TritonEngine([server.grpc_url], shared_memory=shared_memory)
        lies_there = []
        for seed in range(3):
            request = tile(spots(seed))
            found = (await engine.infer(request, timeout_s=30))["labels"]
            np.testing.assert_array_equal(found, expected(request.inputs["image"], request))
            lies_there.append(_file_behind(found).endswith("(deleted)"))
            del found
        await engine.close()
        return lies_there

    # The first result says how large the next ones are.
    assert asyncio.run(play()) == [False, shared_memory, shared_memory]
    assert not list(SHARED_MEMORY.glob("hmz-tile-*"))


def _file_behind(array: NDArray[Any]) -> str:
    """Return the name of the file that an array is mapped from, as Linux has it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, _, rest = line.partition("-")
        if int(start, 16) <= array.ctypes.data < int(rest.split()[0], 16):
            return line
    return ""


def test_the_memory_of_a_cancelled_tile_is_not_used_while_triton_is_at_it(
    server: RunningTriton,
) -> None:
    async def play() -> None:
        engine = TritonEngine([server.grpc_url])
        await engine.infer(tile(spots(0)), timeout_s=30)  # from now on, results are shared too
        late = asyncio.create_task(engine.infer(tile(spots(1, holding=SLOW)), timeout_s=30))
        await asyncio.sleep(0.3)  # it is on the server now
        late.cancel()
        request = tile(spots(2))
        found = (await engine.infer(request, timeout_s=30))["labels"]
        await asyncio.sleep(SLOW_S + 0.5)  # by then the cancelled one has been written somewhere
        np.testing.assert_array_equal(found, expected(request.inputs["image"], request))
        await engine.close()

    asyncio.run(play())


def test_a_model_unloaded_by_others_is_loaded_again(server: RunningTriton) -> None:
    from tritonclient.grpc.aio import InferenceServerClient

    async def check() -> None:
        engine = TritonEngine([server.grpc_url])
        await engine.infer(tile(spots(1)), timeout_s=60)
        admin = InferenceServerClient(server.grpc_url)
        await admin.unload_model("contract-1_0_0")
        await admin.close()
        assert (await engine.infer(tile(spots(1)), timeout_s=60))["labels"].max() > 0
        await engine.close()

    asyncio.run(check())


def test_a_triton_that_is_down_at_the_start_is_unavailable() -> None:
    async def check() -> None:
        engine = TritonEngine([f"127.0.0.1:{Ports().filled().grpc}"])
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await engine.describe(MODEL, VERSION)
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await engine.infer(tile(spots(1)), timeout_s=10)
        await engine.close()

    asyncio.run(check())


def test_two_dtypes_of_one_input_and_foreign_words(server: RunningTriton) -> None:
    """A client of the open protocol may leave the words out, but not give an input twice."""
    from tritonclient.grpc import InferInput
    from tritonclient.grpc.aio import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    def tensor(dtype: str, code: str) -> InferInput:
        given = InferInput(f"image_{dtype}", [24, 31], code)
        given.set_data_from_numpy(spots(1, dtype=dtype))
        return given

    async def check() -> None:
        engine = TritonEngine([server.grpc_url])
        await engine.describe(MODEL, VERSION)
        await engine.close()
        client = InferenceServerClient(server.grpc_url)
        result = await client.infer("contract-1_0_0", [tensor("uint8", "UINT8")])
        np.testing.assert_array_equal(result.as_numpy("labels"), expected(spots(1), tile(spots(1))))
        both = [tensor("uint8", "UINT8"), tensor("uint16", "UINT16")]
        with pytest.raises(InferenceServerException, match="two dtypes"):
            await client.infer("contract-1_0_0", both)
        await client.close()

    asyncio.run(check())


def test_stopping_leaves_no_process_and_no_shared_memory(repository: Path, tmp_path: Path) -> None:
    mine = f"hmz-{os.getpid()}-*"
    of_others = set(SHARED_MEMORY.glob(mine))
    running = start(repository, log=tmp_path / "triton.log")

    async def check() -> None:
        engine = TritonEngine([running.grpc_url])
        await engine.infer(tile(spots(1)), timeout_s=60)
        await engine.close()

    asyncio.run(check())
    assert set(SHARED_MEMORY.glob(mine)) > of_others
    assert len(model_processes(running.name)) == 2  # the server, and one model process
    running.process.kill()  # as rudely as can be: its model processes are left behind
    running.stop()
    running.stop()
    assert set(SHARED_MEMORY.glob(mine)) == of_others
    assert not model_processes(running.name)


STARTER = """
import sys, time
from pathlib import Path
from hmz_backend.engines.bundled import start

running = start(Path(sys.argv[1]), log=Path(sys.argv[2]))
print(running.name, flush=True)
time.sleep(600)
"""


def test_a_killed_owner_takes_its_server_along(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(repository), str(tmp_path / "triton.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        assert model_processes(name)
        owner.kill()
    deadline = time.monotonic() + 30
    while model_processes(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not model_processes(name)


def test_failures_of_triton_itself_fail_the_tile(server: RunningTriton) -> None:
    async def check() -> None:
        engine = TritonEngine([server.grpc_url])
        request = tile(np.zeros((3, 4), np.uint64))
        with pytest.raises(EngineFailed, match="tensor 'image'"):
            await engine.infer(request, timeout_s=60)
        await engine.close()

    asyncio.run(check())


def test_servers_that_do_not_start_say_why(tmp_path: Path) -> None:
    taken = Ports().filled()
    with (
        start(_empty(tmp_path / "a"), ports=taken, log=tmp_path / "a.log"),
        pytest.raises(EngineUnavailable, match="did not start"),
    ):
        start(_empty(tmp_path / "b"), ports=taken, log=tmp_path / "b.log")


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder
