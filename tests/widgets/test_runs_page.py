"""The page of all runs with a fake client in a real viewer: look, take up, stop, remove."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from hmz_widgets import runs_page
from hmz_widgets.runs_page import RunsPage
from hmz_widgets.text_view import TextView
from napari_hmz.errors import BackendUnreachable
from napari_hmz.schema import ModelCard
from napari_hmz.script import as_python, as_shell
from napari_hmz.testing.fake_client import FakeClient, FakeRun
from napari_hmz.testing.fake_source import FakeSource

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
BLOCKS = 9


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_page, "PERIOD_MS", 50)


@pytest.fixture
def client(make_card: MakeCard) -> FakeClient:
    return FakeClient([make_card()], gate=threading.Semaphore(0))


def start(client: FakeClient, name: str = "cells") -> FakeRun:
    """Start a run as another process would."""
    return client.run("threshold", FakeSource(IMAGE, ("y", "x"), name))


def end(client: FakeClient, run: FakeRun) -> None:
    """Let a run be computed to its end, with nobody here watching."""
    assert client.gate is not None
    client.gate.release(BLOCKS)
    for _ in run.watch():
        pass


@pytest.fixture
def shown(open_zoo: OpenZoo, client: FakeClient, qtbot: QtBot) -> Callable[[], Untyped]:
    """Open the dock on the page, and wait until all runs are listed."""

    def open_it() -> Untyped:
        zoo = open_zoo(client)
        zoo.dock.window().show()
        zoo.dock.tabs.setCurrentWidget(zoo.dock.runs_page.native)
        qtbot.waitUntil(lambda: listed(zoo.dock.runs_page) == len(client.runs_started))
        return zoo

    return open_it


@pytest.fixture
def done(shown: Callable[[], Untyped], client: FakeClient) -> Untyped:
    """The dock on the page, with a run chosen that is done."""
    run = start(client)
    end(client, run)
    zoo = shown()
    zoo.dock.runs_page.choose(run.id)
    return zoo


def listed(page: RunsPage) -> int:
    return page.table.rowCount()


def test_all_runs_are_listed_the_newest_first(
    shown: Callable[[], Untyped], client: FakeClient
) -> None:
    start(client, "older")
    start(client, "newer")
    page = shown().dock.runs_page
    rows = [page.table.row(place) for place in range(2)]
    assert [row.volume for row in rows] == ["newer", "older"]


def test_it_is_kept_up_to_date_and_the_choice_stays(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    first = start(client)
    page = shown().dock.runs_page
    page.choose(first.id)
    start(client, "another")
    qtbot.waitUntil(lambda: listed(page) == 2)
    assert page.chosen().run == first.id
    end(client, first)
    qtbot.waitUntil(lambda: page.chosen().state == "done")
    assert page.actions.open.text() == "Load"


def test_nobody_is_asked_while_the_page_is_hidden(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    zoo = shown()
    zoo.dock.tabs.setCurrentWidget(zoo.page.native)
    qtbot.waitUntil(lambda: not zoo.dock.bridge.busy)
    assert not zoo.dock.runs_page._timer.isActive()
    start(client)
    zoo.dock.tabs.setCurrentWidget(zoo.dock.runs_page.native)
    qtbot.waitUntil(lambda: listed(zoo.dock.runs_page) == 1)


def test_a_run_under_way_is_taken_up_and_its_labels_grow(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client)
    zoo = shown()
    image = zoo.viewer.add_image(IMAGE, name="cells", scale=(2, 2), translate=(5, 5))
    page = zoo.dock.runs_page
    page.choose(run.id)
    assert page.actions.open.text() == "Attach"
    page.actions.open.trigger()
    client.gate.release(1)  # type: ignore[union-attr] # it has one
    qtbot.waitUntil(lambda: "1 of 9" in page.followed.status(run.id).line)
    client.gate.release(BLOCKS)  # type: ignore[union-attr] # it has one
    qtbot.waitUntil(lambda: page.followed.status(run.id).line == "Done.")
    labels = zoo.viewer.layers[-1]
    np.testing.assert_array_equal(labels.data, (IMAGE > 50).astype(int))
    np.testing.assert_allclose(labels.translate, image.translate)
    assert labels.metadata["hmz"]["run"] == run.id


def test_enter_loads_a_run_that_is_done(done: Untyped, qtbot: QtBot) -> None:
    zoo, page = done, done.dock.runs_page
    run = page.chosen().run
    qtbot.keyClick(page.view, Qt.Key.Key_Return)  # type: ignore[no-untyped-call] # as pytest-qt has it
    qtbot.waitUntil(lambda: len(zoo.viewer.layers) == 1)
    qtbot.waitUntil(lambda: not page.followed.is_following(run))
    np.testing.assert_array_equal(zoo.viewer.layers[0].data, (IMAGE > 50).astype(int))


def test_layers_that_are_there_are_selected_and_not_loaded_again(
    done: Untyped, qtbot: QtBot
) -> None:
    zoo, page = done, done.dock.runs_page
    run = page.chosen().run
    page.actions.open.trigger()
    qtbot.waitUntil(lambda: len(zoo.viewer.layers) == 1)
    other = zoo.viewer.add_image(IMAGE)
    zoo.viewer.layers.selection = {other}
    page.actions.open.trigger()
    assert len(zoo.viewer.layers) == 2
    assert [layer.metadata["hmz"]["run"] for layer in zoo.viewer.layers.selection] == [run]


def test_a_run_is_cancelled_and_goes_on_when_retried(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client)
    zoo = shown()
    page = zoo.dock.runs_page
    page.choose(run.id)
    page.actions.open.trigger()
    qtbot.waitUntil(page.actions.cancel.isEnabled)
    page.actions.cancel.trigger()
    qtbot.waitUntil(page.actions.retry.isEnabled)
    assert page.chosen().state == "cancelled"
    qtbot.waitUntil(lambda: not page.followed.is_following(run.id))
    page.actions.retry.trigger()
    client.gate.release(2 * BLOCKS)  # type: ignore[union-attr] # it has one
    qtbot.waitUntil(lambda: page.chosen().state == "done")
    qtbot.waitUntil(lambda: not page.followed.is_following(run.id))
    (layer,) = zoo.viewer.layers  # those of the first part have made way
    np.testing.assert_array_equal(layer.data, (IMAGE > 50).astype(int))


def test_what_is_done_of_a_cancelled_run_is_loaded(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client)
    events = run.watch()
    client.gate.release(2)  # type: ignore[union-attr] # it has one
    qtbot.waitUntil(lambda: next(events) is not None and run.progress.blocks_done == 2)
    run.cancel()
    for _ in events:
        pass
    zoo = shown()
    page = zoo.dock.runs_page
    page.choose(run.id)
    assert page.actions.open.text() == "Load"
    assert page.actions.retry.isEnabled()
    page.actions.open.trigger()
    qtbot.waitUntil(lambda: page.followed.status(run.id).line.startswith("Cancelled"))
    (layer,) = zoo.viewer.layers
    done = np.zeros(IMAGE.shape, bool)
    done[:16, :32] = True  # two blocks of 16 x 16
    np.testing.assert_array_equal(layer.data > 0, (IMAGE > 50) & done)


def test_an_open_layer_sends_the_image_that_a_run_lacks(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client)
    zoo = shown()
    image = zoo.viewer.add_image(IMAGE, name="opened again", scale=(3, 3))
    page = zoo.dock.runs_page
    page.choose(run.id)
    page.image.choice.choose(image)
    page.actions.open.trigger()
    client.gate.release(BLOCKS)  # type: ignore[union-attr] # it has one
    qtbot.waitUntil(lambda: page.followed.status(run.id).line == "Done.")
    assert run.given is image.data
    np.testing.assert_allclose(zoo.viewer.layers[-1].scale, (3, 3))
    qtbot.waitUntil(page.image.native.isHidden)


def test_a_run_is_removed_only_once_the_person_agrees(
    done: Untyped, client: FakeClient, qtbot: QtBot
) -> None:
    page = done.dock.runs_page
    page.actions.remove.trigger()
    page.removal.no.click()
    assert client.runs_started
    page.actions.remove.trigger()
    page.removal.yes.click()
    qtbot.waitUntil(lambda: listed(page) == 0)
    assert not client.runs_started
    assert page.status.line == "There is no run on this backend."
    assert not page.actions.open.isEnabled()


def test_a_run_under_way_is_not_removed(shown: Callable[[], Untyped], client: FakeClient) -> None:
    run = start(client)
    page = shown().dock.runs_page
    page.choose(run.id)
    assert not page.actions.remove.isEnabled()


def test_a_backend_that_is_away_is_told_and_the_list_stays(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    start(client)
    page = shown().dock.runs_page
    client.away = BackendUnreachable("Nobody answers.", request_id="r-7")
    qtbot.waitUntil(lambda: "Nobody answers." in page.status.message)
    assert "r-7" in page.status.message
    assert listed(page) == 1
    client.away = None
    qtbot.waitUntil(lambda: not page.status.message)


def test_a_run_is_copied_as_python_and_as_a_command(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client)
    page = shown().dock.runs_page
    page.choose(run.id)
    clipboard = QApplication.clipboard()
    page.actions.python.trigger()
    qtbot.waitUntil(lambda: clipboard.text() == as_python(run.info(), None))
    page.actions.shell.trigger()
    qtbot.waitUntil(lambda: clipboard.text() == as_shell(run.info(), None))


def test_provenance_is_shown_as_it_is_written(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot
) -> None:
    run = start(client, "<b>hostile</b>")
    page = shown().dock.runs_page
    page.choose(run.id)
    page.actions.provenance.trigger()
    (window,) = [each for each in QApplication.topLevelWidgets() if isinstance(each, TextView)]
    assert '"source_name": "<b>hostile</b>"' in window.text.toPlainText()
    assert window.text.isReadOnly()
    window.close()


def test_the_main_thread_never_asks_the_backend(
    shown: Callable[[], Untyped], client: FakeClient, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    run = start(client)
    for name in ("runs", "attach", "cancel", "remove", "record"):
        ask = getattr(client, name)

        def noted(*what: object, ask: Callable[..., object] = ask, **how: object) -> object:
            threads.add(threading.current_thread())
            return ask(*what, **how)

        monkeypatch.setattr(client, name, noted)
    page = shown().dock.runs_page
    page.choose(run.id)
    page.actions.open.trigger()
    qtbot.waitUntil(lambda: page.followed.status(run.id).line != "Taking up the run …")
    page.actions.cancel.trigger()
    page.actions.shell.trigger()
    qtbot.waitUntil(page.actions.remove.isEnabled)
    page.actions.remove.trigger()
    page.removal.yes.click()
    qtbot.waitUntil(lambda: listed(page) == 0)
    assert threads
    assert threading.main_thread() not in threads
