"""What every engine must do, as tests: derive from `EngineContract` and say how to open yours.

The engine under test serves one model, `contract` version `1.0.0`: input `image` (y x; uint8,
uint16, int16 or float32), output `labels` (y x; uint32): the connected components of what is
brighter than parameter `level` plus, if statistics are given, their Otsu threshold. A tile that
holds `FAIL` fails, one that holds `SLOW` takes `SLOW_S` seconds, one that holds `CRASH` ends the
process that computes it. `contract_package` writes it.
"""
# ruff: noqa: D102 # a test's name is its sentence

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.engines.protocol import Engine, Part, TileRequest
from hmz_backend.serving import ServingError
from hmz_backend.testing.fake_engine import Arrays
from hmz_backend.testing.packages import TinyPackage
from napari_hmz.errors import EngineBusy, EngineFailed, EngineUnavailable
from napari_hmz.schema import ChannelStatistics, VolumeStatistics

MODEL, VERSION = "contract", "1.0.0"
FAIL, SLOW, CRASH = 250, 251, 252
SLOW_S = 1.5
LEVEL = 100.0
CODE = f'''
"""Labels of what is brighter than a level; some values make it fail, wait or crash."""

import os
import time

import numpy as np
from scipy import ndimage


class Contract:
    def __init__(self, level={LEVEL}, otsu=None):
        self.level = level + (otsu or 0.0)

    def __call__(self, image):
        if (image == {FAIL}).any():
            raise ValueError("the tile holds the value that fails\\nand more lines")
        if (image == {SLOW}).any():
            time.sleep({SLOW_S})
        if (image == {CRASH}).any():
            os._exit(1)
        return np.stack([ndimage.label(plane > self.level)[0] for plane in image])
'''


def contract_package(folder: Path) -> Path:
    """Write the model package of the contract into `folder`, and return it."""
    step = {
        "id": "custom",
        "source": "contract_step.py",
        "sha256": "SHA256:contract_step.py",
        "callable": "Contract",
        "kwargs": {"level": LEVEL},
    }
    place = {"tensor": "labels", "step": 0}
    return TinyPackage(
        id=MODEL,
        version=VERSION,
        axes="yx",
        output="labels",
        output_dtype="uint32",
        post=[step],
        files={"contract_step.py": CODE},
        hmz={
            "task": "instance-segmentation",
            "outputs": {"labels": {"kind": "instance-labels", "dtype": "uint32"}},
            "parameters": {
                "level": {"type": "number", "default": LEVEL, "minimum": 0, "maximum": 255}
            },
            "bindings": {"level": {**place, "kwarg": "level"}},
            "statistics_bindings": {"otsu": {**place, "kwarg": "otsu"}},
        },
    ).write(folder)


def contract_computation(request: TileRequest) -> Arrays:
    """Do what the package of the contract does, for a `FakeEngine`."""
    image = request.inputs.get("image")
    if image is None or image.ndim != 2 or image.dtype.kind not in "uif":
        raise ServingError("no such input", tensor="image")
    if (image == FAIL).any():
        raise ServingError("the tile holds the value that fails", tensor="labels")
    if (image == SLOW).any():
        time.sleep(SLOW_S)
    return {"labels": expected(image, request)}


def expected(image: "NDArray[Any]", request: TileRequest) -> "NDArray[Any]":
    """Return the labels that the contract's model must give."""
    level = float(str(request.parameters["level"]))
    if request.statistics is not None:
        level += request.statistics.channels[0].otsu or 0.0
    labels, _ = ndimage.label(image > level)
    return np.asarray(labels, dtype=np.uint32)


def spots(seed: int, *, dtype: str = "uint8", holding: int | None = None) -> "NDArray[Any]":
    """Return a random image (y x) of values below `FAIL`, with one pixel set to `holding`."""
    image = np.random.default_rng(seed).integers(0, FAIL, (24, 31)).astype(dtype)
    if holding is not None:
        image[3, 4] = holding
    return image


def tile(image: "NDArray[Any]", *, level: float = LEVEL, otsu: float | None = None) -> TileRequest:
    """Return the request for one tile of the contract's model."""
    channel = ChannelStatistics(minimum=0, maximum=255, mean=125, std=70, otsu=otsu)
    statistics = VolumeStatistics(method="exact", sampled_voxels=744, channels=(channel,))
    return TileRequest(
        model=MODEL,
        version=VERSION,
        inputs={"image": image},
        parameters={"level": level},
        statistics=None if otsu is None else statistics,
    )


class EngineContract:
    """Derive, name the class `Test...`, and override `opened`."""

    timeout_s = 60.0

    def opened(self, packages: Path) -> AbstractAsyncContextManager[Engine]:
        """Return a context that gives the engine, with the model from folder `packages`."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def packages(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Folder with the package of the contract, `contract/`."""
        folder = tmp_path_factory.mktemp("packages")
        contract_package(folder / MODEL)
        return folder

    def run(self, packages: Path, check: Callable[[Engine], Awaitable[None]]) -> None:
        """Run a check in an event loop of its own."""

        async def within() -> None:
            async with self.opened(packages) as engine:
                await check(engine)

        asyncio.run(within())

    async def agrees(self, engine: Engine, request: TileRequest) -> None:
        """Check one tile against the expected labels, bit by bit."""
        result = await engine.infer(request, timeout_s=self.timeout_s)
        assert list(result) == ["labels"]
        assert result["labels"].dtype == np.uint32
        np.testing.assert_array_equal(result["labels"], expected(request.inputs["image"], request))

    def test_describe_says_how_many_tiles_run_at_once(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            capacity = await engine.describe(MODEL, VERSION)
            assert capacity.instances >= 1

        self.run(packages, check)

    def test_unknown_models_are_unavailable(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            with pytest.raises(EngineUnavailable):
                await engine.describe("nothing", "9.9.9")
            with pytest.raises(EngineUnavailable):
                await engine.infer(
                    TileRequest("nothing", "9.9.9", {"image": spots(0)}, {}), timeout_s=20
                )

        self.run(packages, check)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
    def test_tiles_of_every_dtype_give_exact_labels(self, packages: Path, dtype: str) -> None:
        async def check(engine: Engine) -> None:
            await self.agrees(engine, tile(spots(1, dtype=dtype)))

        self.run(packages, check)

    def test_parameters_statistics_and_strides(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            image = spots(2)
            await self.agrees(engine, tile(image, level=200.5))
            await self.agrees(engine, tile(image, level=20, otsu=77.5))
            view = image[::-2, ::3]
            before = view.copy()
            await self.agrees(engine, tile(view))
            np.testing.assert_array_equal(view, before)

        self.run(packages, check)

    def test_what_is_not_used_may_be_left_out_and_the_rest_is_the_same(
        self, packages: Path
    ) -> None:
        async def check(engine: Engine) -> None:
            image = spots(3)
            whole = expected(image, tile(image))
            for (top, bottom), (left, right) in (
                ((3, 20), (5, 9)),
                ((0, 24), (5, 31)),
                ((2, 3),) * 2,
            ):
                part: Part = {"y": (top, bottom, 24), "x": (left, right, 31)}
                request = replace(tile(image), used={"labels": part})
                found = (await engine.infer(request, timeout_s=self.timeout_s))["labels"]
                if found.shape == whole.shape:
                    found = found[top:bottom, left:right]
                np.testing.assert_array_equal(found, whole[top:bottom, left:right])
                await self.agrees(engine, tile(image))

        self.run(packages, check)

    def test_many_tiles_at_once_keep_their_results_apart(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            requests = [tile(spots(seed), level=seed * 20) for seed in range(8)]
            await asyncio.gather(*(self.agrees(engine, request) for request in requests))

        self.run(packages, check)

    def test_failures_name_the_tensor_and_one_line_of_cause(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            with pytest.raises(EngineFailed) as failure:
                await engine.infer(tile(spots(3, holding=FAIL)), timeout_s=self.timeout_s)
            assert "labels" in failure.value.detail
            assert "the value that fails" in failure.value.detail
            assert "Traceback" not in failure.value.detail
            assert "and more lines" not in failure.value.detail
            await self.agrees(engine, tile(spots(4)))

        self.run(packages, check)

    @pytest.mark.parametrize(
        "image",
        [np.zeros((2, 24, 31), np.uint8), np.zeros((24, 31), np.complex64)],
        ids=["axes", "dtype"],
    )
    def test_wrong_axes_or_dtype_fail_with_the_input_named(
        self, packages: Path, image: "NDArray[Any]"
    ) -> None:
        async def check(engine: Engine) -> None:
            with pytest.raises(EngineFailed, match="image"):
                await engine.infer(tile(image), timeout_s=self.timeout_s)
            await self.agrees(engine, tile(spots(5)))

        self.run(packages, check)

    def test_missing_inputs_fail_by_name(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            request = TileRequest(MODEL, VERSION, {}, {"level": LEVEL})
            with pytest.raises(EngineFailed, match="image"):
                await engine.infer(request, timeout_s=self.timeout_s)

        self.run(packages, check)

    def test_late_answers_are_busy_and_the_engine_lives(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            await engine.describe(MODEL, VERSION)
            with pytest.raises(EngineBusy):
                await engine.infer(tile(spots(6, holding=SLOW)), timeout_s=SLOW_S / 3)
            await self.agrees(engine, tile(spots(6)))

        self.run(packages, check)

    def test_cancelled_tiles_stop_waiting_and_the_engine_lives(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            capacity = await engine.describe(MODEL, VERSION)
            slow = tile(spots(7, holding=SLOW))
            tasks = [
                asyncio.create_task(engine.infer(slow, timeout_s=self.timeout_s))
                for _ in range(capacity.instances * 8)
            ]
            await asyncio.sleep(SLOW_S / 3)  # the first ones are on the engine now
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            started = time.monotonic()
            await self.agrees(engine, tile(spots(7)))
            # Only what was on the engine is waited for: seven times as much was queued.
            assert time.monotonic() - started < SLOW_S * 4

        self.run(packages, check)

    def test_closing_twice_is_no_error_and_ends_service(self, packages: Path) -> None:
        async def check(engine: Engine) -> None:
            await self.agrees(engine, tile(spots(8)))
            await engine.close()
            await engine.close()
            with pytest.raises(EngineUnavailable):
                await engine.infer(tile(spots(8)), timeout_s=self.timeout_s)

        self.run(packages, check)
