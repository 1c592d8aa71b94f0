"""Every shipped model gives its own test output on both engines, and the same bits on both."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.engines.bundled import RunningTriton, install, start
from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine, TileRequest
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.serving import ServedModel
from hmz_backend.zoo.package import Package, load_package
from hmz_backend.zoo.reproduction import reproduce
from hmz_backend.zoo.shipped import shipped_models
from hmz_backend.zoo.triton_repository import write_triton_repository

pytestmark = pytest.mark.triton

FOLDERS = sorted(path.parent for path in shipped_models().glob("*/rdf.yaml"))


@pytest.fixture(scope="module")
def shipped() -> dict[str, Package]:
    return {folder.name: load_package(folder) for folder in FOLDERS}


@pytest.fixture(scope="module")
def triton(
    shipped: Mapping[str, Package], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningTriton]:
    install()
    folder = tmp_path_factory.mktemp("shipped")
    write_triton_repository(shipped.values(), folder / "repository", instances=1)
    with start(folder / "repository", log=folder / "triton.log") as running:
        yield running


@pytest.mark.parametrize("name", [folder.name for folder in FOLDERS])
def test_shipped_models_are_reproduced_alike_on_both_engines(
    shipped: Mapping[str, Package], triton: RunningTriton, name: str
) -> None:
    package = shipped[name]
    seen: dict[str, Mapping[str, NDArray[Any]]] = {}
    with asyncio.Runner() as runner:
        engines: dict[str, Engine] = {
            "embedded": EmbeddedEngine({package.key: package.folder}, workers=1),
            "triton": TritonEngine([triton.grpc_url]),
        }
        for kind, engine in engines.items():

            def run(
                inputs: Mapping[str, NDArray[Any]],
                parameters: Mapping[str, Any],
                kind: str = kind,
                engine: Engine = engine,
            ) -> Mapping[str, NDArray[Any]]:
                request = TileRequest(*package.key, inputs, parameters)
                seen[kind] = runner.run(engine.infer(request, timeout_s=120))
                return seen[kind]

            reproduce(package, run)
            runner.run(engine.close())
    for output in package.card.outputs:
        here, there = seen["embedded"][output.name], seen["triton"][output.name]
        assert here.dtype == there.dtype == np.dtype(output.dtype)
        np.testing.assert_array_equal(here, there)


def test_rows_come_back_however_many_there_are(
    shipped: Mapping[str, Package], triton: RunningTriton
) -> None:
    package = shipped["spots-2d"]
    image = np.random.default_rng(2).integers(0, 99, (64, 64)).astype("uint16")
    served = ServedModel.load(package.folder)
    with asyncio.Runner() as runner:
        engine = TritonEngine([triton.grpc_url])
        for threshold in (90.0, 20.0, 1e6, 0.0, 30.0):  # few, more, none, many, few again
            parameters = {"sigma": 1.0, "threshold": threshold}
            request = TileRequest(*package.key, {"image": image}, parameters)
            found = runner.run(engine.infer(request, timeout_s=120))["spots"]
            expected = served.run_tile({"image": image}, parameters)["spots"]
            np.testing.assert_array_equal(found, expected)
        runner.run(engine.close())


def test_all_shipped_models_are_here() -> None:
    names = {folder.name for folder in FOLDERS}
    assert {"components", "denoise", "nuclei-2d", "nuclei-3d", "spots"} <= names
    assert Path(shipped_models()).is_dir()
