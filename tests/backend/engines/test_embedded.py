import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.testing.engine_contract import (
    CRASH,
    MODEL,
    SLOW,
    VERSION,
    contract_package,
    expected,
    spots,
    tile,
)
from hmz_backend.testing.packages import TinyPackage
from napari_hmz.errors import EngineBusy, EngineUnavailable

KEY = (MODEL, VERSION)


def test_a_crash_loses_its_tile_only_and_another_worker_is_started(packages: Path) -> None:
    async def check() -> None:
        engine = EmbeddedEngine({KEY: packages / MODEL}, workers=1)
        try:
            with pytest.raises(EngineBusy, match="died"):
                await engine.infer(tile(spots(1, holding=CRASH)), timeout_s=60)
            request = tile(spots(1))
            result = await engine.infer(request, timeout_s=60)
            np.testing.assert_array_equal(result["labels"], expected(spots(1), request))
        finally:
            await engine.close()

    asyncio.run(check())


def test_models_that_do_not_load_say_why(packages: Path) -> None:
    async def check() -> None:
        engine = EmbeddedEngine({("broken", "1.0.0"): packages / "broken"}, workers=1)
        try:
            with pytest.raises(EngineUnavailable, match=r"weights\.onnx does not load"):
                await engine.describe("broken", "1.0.0")
            request = TileRequest("broken", "1.0.0", {"image": spots(1)[None]}, {})
            with pytest.raises(EngineUnavailable, match=r"weights\.onnx does not load"):
                await engine.infer(request, timeout_s=60)
        finally:
            await engine.close()

    asyncio.run(check())


def test_a_package_written_anew_is_loaded_anew(tmp_path: Path) -> None:
    step = {"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 1.0}}
    folder = TinyPackage(post=[step]).write(tmp_path / "package")
    request = TileRequest("tiny", "1.0.0", {"image": np.zeros((1, 4, 4), np.float32)}, {})

    async def check() -> None:
        engine = EmbeddedEngine({("tiny", "1.0.0"): folder}, workers=1)
        try:
            assert (await engine.infer(request, timeout_s=60))["result"].max() == 1
            changed = {"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 2.0}}
            TinyPackage(post=[changed]).write(folder)
            assert (await engine.infer(request, timeout_s=60))["result"].max() == 2
        finally:
            await engine.close()

    asyncio.run(check())


def test_closing_ends_tiles_in_the_air_and_leaves_no_process(tmp_path: Path) -> None:
    contract_package(tmp_path / MODEL)

    async def check() -> None:
        engine = EmbeddedEngine({KEY: tmp_path / MODEL}, workers=2)
        await engine.describe(*KEY)
        slow = tile(spots(1, holding=SLOW))
        tasks = [asyncio.create_task(engine.infer(slow, timeout_s=60)) for _ in range(4)]
        await asyncio.sleep(0.5)  # two are with workers now, two wait
        await engine.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, EngineBusy | EngineUnavailable) for error in results)

    before = _children()
    asyncio.run(check())
    assert _children() <= before


def _children() -> set[str]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    pids = path.read_text().split() if path.is_file() else []
    return {pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}
