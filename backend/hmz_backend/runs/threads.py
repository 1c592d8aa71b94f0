"""Heavy work beside the event loop, in the backend's own threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor as Threads
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(threads: Threads, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, while the event loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(threads, lambda: work(*args, **kwargs))
