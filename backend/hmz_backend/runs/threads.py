"""Heavy work beside the event loop, in the backend's own threads.

A thread cannot be stopped. So a task that is cancelled while it waits for one waits until the
thread is through: nobody who comes next finds files written behind their back.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor as Threads
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(threads: Threads, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, while the event loop goes on.

    Cancelled before `work` has begun, it is not begun; later, it is waited for.
    """
    known = copy_context()  # what the work is about, and whose request it is
    begun = threads.submit(lambda: known.run(work, *args, **kwargs))
    end = asyncio.wrap_future(begun)
    try:
        return await asyncio.shield(end)
    except asyncio.CancelledError:
        if not begun.cancel():
            await asyncio.gather(end, return_exceptions=True)  # nobody asks for it any more
        raise
