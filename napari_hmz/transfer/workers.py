"""Threads that work off a bounded queue.

The queue's depth is what bounds memory: whoever puts waits while it is full. The threads are
daemons: a program may end while they wait for a network that does not come back.
"""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from napari_hmz.priority import step_back

T = TypeVar("T")


class Workers(Generic[T]):
    """Calls `work` with every item, in as many threads as were asked for.

    Parameters
    ----------
    work
        Must not raise: what goes wrong belongs to whoever waits for the whole, not to a thread.
    threads
        One keeps the order of the items.
    depth
        How many items may wait.
    """

    def __init__(self, work: Callable[[T], None], *, threads: int, depth: int, name: str) -> None:
        self._work = work
        self._queue: queue.Queue[T | None] = queue.Queue(depth)
        self._abandoned = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: T) -> bool:
        """Hand over an item, waiting while the queue is full; False if nobody will take it."""
        while not self._abandoned.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def finish(self) -> None:
        """Wait until every item is done, and end the threads."""
        for _ in self._threads:
            self._put_end()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        """Drop what waits; items that have begun are finished, and nobody waits for them."""
        self._abandoned.set()

    def _put_end(self) -> None:
        while not self._abandoned.is_set():
            try:
                return self._queue.put(None, timeout=0.2)
            except queue.Full:
                continue
        return None

    def _run(self) -> None:
        step_back()
        while not self._abandoned.is_set():
            try:
                item = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if item is None:
                return
            self._work(item)
