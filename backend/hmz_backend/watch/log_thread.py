"""The log is written by a thread of its own: a disk that is busy holds up that thread alone.

While the system brings files to the disk, a line that goes to a file on it can take half a second;
the event loop, from which most lines come, would answer nobody meanwhile. Lines are put together
where they come from, since what they are about is known there only.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Final

MOST_LINES: Final = 10_000  # waiting; then whoever has a line more waits, and none is lost
PAUSE_S: Final = 0.01


class _Waiting(QueueHandler):
    """Hands lines over, to a queue that has no lock in Python.

    A line may come from a destructor or a signal in the middle of handing over another one.
    """

    queue: SimpleQueue[logging.LogRecord]

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand a line over once there is room."""
        while self.queue.qsize() >= MOST_LINES:
            time.sleep(PAUSE_S)  # this queue tells nobody when there is room
        self.queue.put(record)


@contextmanager
def written_aside(handler: logging.Handler) -> Iterator[None]:
    """Let a handler of the root logger write from a thread; at the end, all lines are written."""
    root, form = logging.getLogger(), handler.formatter
    lines = SimpleQueue[logging.LogRecord]()
    waiting, writing = _Waiting(lines), QueueListener(lines, handler)
    waiting.setFormatter(form)
    handler.setFormatter(None)
    root.addHandler(waiting)
    root.removeHandler(handler)
    writing.start()
    try:
        yield
    finally:
        root.removeHandler(waiting)
        writing.stop()
        handler.setFormatter(form)
        root.addHandler(handler)
