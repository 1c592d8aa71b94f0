"""The log is written by a thread of its own: a disk that is busy holds up that thread alone.

While the system brings files to the disk, a line that goes to a file on it can take half a second;
the event loop, from which most lines come, would answer nobody meanwhile. Lines are put together
where they come from, since what they are about is known there only.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import Final

MOST_LINES: Final = 10_000  # waiting; then whoever has a line more waits, and none is lost


Lines = Queue[logging.LogRecord | None]
"""None: there are no more."""


class _Waiting(QueueHandler):
    """Hands lines over."""

    queue: Lines

    def enqueue(self, record: logging.LogRecord) -> None:
        """Wait for room: as it is, a full queue would be an error."""
        self.queue.put(record)


class _Writing(QueueListener):
    """Writes them."""

    queue: Lines

    def enqueue_sentinel(self) -> None:
        """Wait for room, too."""
        self.queue.put(None)


@contextmanager
def written_aside(handler: logging.Handler) -> Iterator[None]:
    """Let a handler of the root logger write from a thread; at the end, all lines are written."""
    root, form = logging.getLogger(), handler.formatter
    lines: Lines = Queue(MOST_LINES)
    waiting, writing = _Waiting(lines), _Writing(lines, handler)
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
