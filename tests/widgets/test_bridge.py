"""What other threads find arrives in the main thread, in order, until the bridge is closed."""

import sys
import threading
from collections.abc import Iterator

import pytest
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot

from hmz_widgets.bridge import Bridge
from napari_hmz.errors import BackendUnreachable, HmzError


@pytest.fixture
def bridge(qtbot: QtBot) -> Iterator[Bridge]:
    bridge = Bridge()
    yield bridge
    bridge.close()


def test_results_and_errors_come_to_the_main_thread(bridge: Bridge, qtbot: QtBot) -> None:
    main, seen = threading.current_thread(), []

    def work() -> bool:
        return threading.current_thread() is not main

    def fail() -> bool:
        raise BackendUnreachable("gone")

    def note(what: object) -> None:
        assert threading.current_thread() is main
        seen.append(what)

    bridge.call(work, done=note, failed=note, ended=lambda: note("end"))
    qtbot.waitUntil(lambda: not bridge.busy)
    assert seen == [True, "end"]
    bridge.call(fail, done=note, failed=note, ended=lambda: note("end"))
    qtbot.waitUntil(lambda: not bridge.busy)
    assert isinstance(seen[2], BackendUnreachable)
    assert seen[3:] == ["end"]


def test_updates_come_in_order(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[object] = []
    bridge.listen(lambda: iter(range(1, 500)), take=seen.append, ended=lambda: seen.append("end"))
    qtbot.waitUntil(lambda: not bridge.busy)
    assert seen == [*range(1, 500), "end"]


def test_a_core_that_waits_does_not_hold_up_closing(qtbot: QtBot) -> None:
    bridge, gate = Bridge(), threading.Event()
    seen: list[int] = []

    def updates() -> Iterator[int]:
        yield 1
        gate.wait()
        yield 2

    bridge.listen(updates, take=seen.append)
    qtbot.waitUntil(lambda: bool(seen))
    bridge.close()
    gate.set()
    qtbot.wait(500)
    assert seen == [1], "a closed bridge reports nothing"


@pytest.mark.parametrize("kind", [KeyError, RuntimeError])
def test_bugs_are_reported_by_napari(bridge: Bridge, qtbot: QtBot, kind: type[Exception]) -> None:
    ended: list[str] = []
    errors: list[HmzError] = []

    def work() -> int:
        raise kind("bug")

    def updates() -> Iterator[int]:
        yield 1
        raise kind("bug")

    with notification_manager:
        notification_manager.records.clear()
        if kind is not RuntimeError:  # which a worker of napari's takes for its own end
            bridge.call(work, done=print, failed=errors.append, ended=lambda: ended.append("call"))
            qtbot.waitUntil(lambda: not bridge.busy)
            assert "bug" in str(notification_manager.records[-1].message)
        bridge.listen(updates, take=print, ended=lambda: ended.append("listen"))
        qtbot.waitUntil(lambda: not bridge.busy)
        assert "bug" in str(notification_manager.records[-1].message)
        notification_manager.records.clear()  # they hold tracebacks, as `sys.last_value` does
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
    assert ended[-1] == "listen"
    assert not errors
