from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from hmz_backend.executors.local import LocalExecutor
from hmz_backend.executors.protocol import Executor
from hmz_backend.testing.executor_contract import ExecutorContract, Work


class TestLocalExecutor(ExecutorContract):
    def opened(self, work: Work) -> AbstractAsyncContextManager[Executor]:
        @asynccontextmanager
        async def context() -> AsyncIterator[Executor]:
            executor = LocalExecutor(work, slots=2)
            yield executor
            await executor.close()

        return context()
