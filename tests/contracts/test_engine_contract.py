from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from hmz_backend.engines.bundled import RunningTriton, install, start
from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.testing.engine_contract import (
    MODEL,
    VERSION,
    EngineContract,
    contract_computation,
)
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_repository import write_triton_repository


@asynccontextmanager
async def closing(engine: Engine) -> AsyncIterator[Engine]:
    try:
        yield engine
    finally:
        await engine.close()


class TestFakeEngine(EngineContract):
    def opened(self, packages: Path) -> AbstractAsyncContextManager[Engine]:
        return closing(FakeEngine({(MODEL, VERSION): contract_computation}))


class TestEmbeddedEngine(EngineContract):
    def opened(self, packages: Path) -> AbstractAsyncContextManager[Engine]:
        return closing(EmbeddedEngine({(MODEL, VERSION): packages / MODEL}, workers=2))


@pytest.mark.triton
class TestTritonEngine(EngineContract):
    server: ClassVar[RunningTriton]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def triton(cls, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        folder = tmp_path_factory.mktemp("triton")
        install()
        write_triton_repository([load_package(packages / MODEL)], folder / "repository")
        with start(folder / "repository", log=folder / "triton.log") as cls.server:
            yield

    def opened(self, packages: Path) -> AbstractAsyncContextManager[Engine]:
        return closing(TritonEngine([self.server.grpc_url]))


@pytest.mark.triton
class TestTritonEngineWithoutSharedMemory(TestTritonEngine):
    def opened(self, packages: Path) -> AbstractAsyncContextManager[Engine]:
        return closing(TritonEngine([self.server.grpc_url], shared_memory=False))
