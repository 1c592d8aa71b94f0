from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine
from hmz_backend.testing.engine_contract import (
    MODEL,
    VERSION,
    EngineContract,
    contract_computation,
)
from hmz_backend.testing.fake_engine import FakeEngine


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
