"""Lines of the log are written by a thread: whoever has something to say goes on at once."""

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from hmz_backend.request_id import enter_request
from hmz_backend.watch import log_thread
from hmz_backend.watch.log_lines import PlainLines
from hmz_backend.watch.log_thread import written_aside

log = logging.getLogger("hmz_backend.test")


class SlowDisk(io.StringIO):
    """Takes a line only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = threading.Event()

    def write(self, text: str) -> int:
        self.takes.wait()
        return super().write(text)


@pytest.fixture
def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture
def handler(disk: SlowDisk) -> Iterator[logging.Handler]:
    root, made = logging.getLogger(), logging.StreamHandler(disk)
    made.setFormatter(PlainLines())
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(made)
    yield made
    root.removeHandler(made)
    root.setLevel(before)


def test_nobody_waits_for_the_disk_and_all_lines_are_there_at_the_end(
    disk: SlowDisk, handler: logging.Handler
) -> None:
    with written_aside(handler):
        for number in range(100):
            log.info("line %d", number)
        assert disk.getvalue() == ""
        disk.takes.set()
    lines = disk.getvalue().splitlines()
    assert [line.rsplit(": ", 1)[1] for line in lines] == [f"line {n}" for n in range(100)]


def test_a_line_says_what_it_is_about_where_it_comes_from(
    disk: SlowDisk, handler: logging.Handler
) -> None:
    disk.takes.set()

    def say() -> None:
        enter_request("4f2a")
        log.info("done")
        enter_request("another")

    with written_aside(handler):
        copy_context().run(say)
    assert "hmz_backend.test: done [request=4f2a]" in disk.getvalue()


def test_an_error_has_its_trace_set_in(disk: SlowDisk, handler: logging.Handler) -> None:
    disk.takes.set()
    with written_aside(handler):
        try:
            int("odd")
        except ValueError:
            log.exception("it failed")
    first, *trace = disk.getvalue().splitlines()
    assert first.endswith("hmz_backend.test: it failed")
    assert trace[-1].startswith("    ValueError: ")
    assert disk.getvalue().count("ValueError: ") == 1


def test_no_line_is_lost_where_more_wait_than_there_is_room_for(
    disk: SlowDisk, handler: logging.Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_thread, "MOST_LINES", 3)

    def say() -> None:
        for number in range(20):
            log.info("line %d", number)

    with written_aside(handler):
        saying = threading.Thread(target=say)
        saying.start()
        saying.join(0.1)
        assert saying.is_alive(), "it waits for room"
        disk.takes.set()
        saying.join()
    assert len(disk.getvalue().splitlines()) == 20


INTERRUPTED = """
import logging, os, signal, sys, time
from hmz_backend.watch.log_thread import written_aside

handler, said = logging.StreamHandler(open(os.devnull, "w")), []
logging.basicConfig(level=logging.INFO, handlers=[handler])
signal.signal(signal.SIGALRM, lambda *_: (logging.info("from within"), said.append(1)))
with written_aside(handler):
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    end_s = time.monotonic() + 1
    while time.monotonic() < end_s:
        logging.info("a line")
    signal.setitimer(signal.ITIMER_REAL, 0)
sys.exit(not said)
"""


def test_a_line_may_come_in_the_middle_of_another() -> None:
    words = [sys.executable, "-c", INTERRUPTED]
    # Where it is not so, it never ends.
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_afterwards_lines_are_written_as_before(disk: SlowDisk, handler: logging.Handler) -> None:
    disk.takes.set()
    with written_aside(handler):
        pass
    log.info("after")
    assert "INFO hmz_backend.test: after" in disk.getvalue()
