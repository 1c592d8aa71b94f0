"""The bridge from worker threads to the Qt main thread.

`call` and `listen` are called in the main thread and so are the callables that they are given to
report to; only `work` and `updates` run elsewhere. Each piece of work is one of napari's workers,
so that napari shows it among its tasks and reports bugs in it. After `close` nothing is reported.

napari keeps every worker until it ends (its task list holds `worker.quit`), so a worker must hold
nothing that matters: it gets its work in a box that it empties, and its signals lead to a `_Line`
that is cut when the work is over. They hold the `_Line` by a partial: of a bound method, PySide6
holds the object only weakly, and would call one that is being collected.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from napari.qt.threading import create_worker

from napari_hmz.errors import HmzError, InternalError

T = TypeVar("T")

PAUSE_S = 0.2
"""How long a worker waits for news before it looks whether it shall stop."""
DEPTH = 32
"""How many updates may wait for the main thread; then the core waits."""


class Bridge:
    """Brings what other threads find to the main thread, until it is closed."""

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._lines: list[_Line] = []

    @property
    def busy(self) -> bool:
        """Whether any work has not ended."""
        return bool(self._lines)

    def call(
        self,
        work: Callable[[], T],
        *,
        done: Callable[[T], None],
        failed: Callable[[HmzError], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Do `work` in another thread and report its result, or the error that it raised.

        An exception that is not an `HmzError` is a bug: napari reports it. `ended` is called last
        in any case.
        """

        def report(outcome: _Outcome[T]) -> None:
            outcome.report(done, failed)

        worker = create_worker(model_zoo_request, [work])
        line = _Line(worker, report, ended)
        worker.returned.connect(partial(_Line.report, line))
        self._start(line)

    def listen(
        self,
        updates: Callable[[], Iterator[T]],
        *,
        take: Callable[[T], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Report every update that a generator yields in another thread, and then its end."""
        worker = create_worker(model_zoo_run, [updates], self._closed)
        line = _Line(worker, take, ended)
        worker.yielded.connect(partial(_Line.report, line))
        self._start(line)

    def close(self) -> None:
        """Report nothing any more, and let the workers end soon."""
        self._closed.set()
        for line in self._lines:
            line.cut()
        self._lines.clear()

    def _start(self, line: "_Line") -> None:
        self._lines.append(line)
        line.hung_up = self._lines.remove
        line.worker.finished.connect(partial(_Line.end, line))
        line.worker.start()


class _Line:
    """What connects a worker's signals with those who wait for them, until it is cut."""

    def __init__(
        self,
        worker: Any,  # noqa: ANN401 # napari is untyped here
        take: Callable[[Any], None],
        ended: Callable[[], None] | None,
    ) -> None:
        self.worker = worker
        self.hung_up: Callable[[_Line], None] | None = None
        self._take: Callable[[Any], None] | None = take
        self._ended = ended

    def report(self, news: object) -> None:
        """Pass on what the worker found; None is only a sign of life."""
        if self._take is not None and news is not None:
            self._take(news)

    def end(self) -> None:
        """Say that the work is over, and hang up."""
        ended, hung_up = self._ended, self.hung_up
        self.cut()
        if hung_up is not None:
            hung_up(self)
        if ended is not None:
            ended()

    def cut(self) -> None:
        """Let go of everybody at both ends."""
        if self.worker is not None:
            self.worker.quit()
        self.worker = self._take = self._ended = self.hung_up = None


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """A result, or a foreseen error: wrapped, since a worker raises the errors that it returns."""

    results: tuple[T, ...]
    error: HmzError | None = None

    def report(self, done: Callable[[T], None], failed: Callable[[HmzError], None]) -> None:
        if self.error is not None:
            failed(self.error)
        for result in self.results:
            done(result)


def model_zoo_request(box: list[Callable[[], T]]) -> _Outcome[T]:
    """Do what lies in the box (in a worker, which napari lists under this function's name)."""
    try:
        return _Outcome((box.pop()(),))
    except HmzError as error:
        return _Outcome((), error)


def model_zoo_run(
    box: list[Callable[[], Iterator[T]]], closed: threading.Event
) -> Iterator[T | None]:
    """Yield updates, and None in between, so that the worker can stop while the core waits.

    The core's generator runs in a thread of its own, which may wait for a network for long. It is a
    daemon: napari can be closed at any time, the run goes on at the backend.
    """
    found: queue.Queue[_End | T] = queue.Queue(DEPTH)
    threading.Thread(
        target=_pour, args=(box.pop(), found, closed), name="hmz-updates", daemon=True
    ).start()
    while True:
        try:
            update = found.get(timeout=PAUSE_S)
        except queue.Empty:
            yield None
            continue
        if isinstance(update, _End):
            update.check()
            return
        yield update


class _End:
    """The end of the updates, with the bug that caused it if there was one."""

    def __init__(self, bug: Exception | None = None) -> None:
        self._bug = bug

    def check(self) -> None:
        """Raise the bug; wrapped, since a worker takes a bare `RuntimeError` for its own end."""
        if self._bug is not None:
            raise InternalError(f"The run could not be followed: {self._bug!r}.") from self._bug


def _pour(
    updates: Callable[[], Iterator[T]], found: "queue.Queue[_End | T]", closed: threading.Event
) -> None:
    end = _End()
    try:
        for update in updates():
            if not _put(found, update, closed):
                return
    except Exception as bug:  # noqa: BLE001 # raised again in the worker, which napari listens to
        end = _End(bug)
    _put(found, end, closed)


def _put(found: "queue.Queue[_End | T]", item: "_End | T", closed: threading.Event) -> bool:
    while not closed.is_set():
        try:
            found.put(item, timeout=PAUSE_S)
        except queue.Full:
            continue
        return True
    return False
