"""Bad input and faults, as a person meets them in the dock: said in words, and nothing is lost.

What lies at one part is tested there: layers that do not fit (`test_slots`, `test_model_page`),
heavy runs (`test_run_desk`), hostile cards (`test_catalogue_page`, `test_form_view`), bugs
(`test_bridge`), layers that cannot be read and lost backends with a real one (`end_to_end`).
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QLineEdit

from hmz_widgets.dock import ModelZoo
from napari_hmz.errors import (
    BackendUnreachable,
    DiskFull,
    EngineUnavailable,
    NotSignedIn,
    QuotaExceeded,
    ServerBusy,
    SourceUnreadable,
)
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MakeCard = Callable[..., ModelCard]
OpenZoo = Callable[..., Any]
Zoo = Any
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
WAIT_MS = 20_000
MARKUP = '<img src="file:///etc/passwd"><a href="http://evil">y</a>'

pytestmark = pytest.mark.gui


def idle(zoo: Zoo) -> Callable[[], bool]:
    return lambda: not zoo.page.running and not zoo.dock.bridge.busy


def labels_of(zoo: Zoo) -> list[Any]:
    return [layer for layer in zoo.viewer.layers if type(layer).__name__ == "Labels"]


def gated(make_card: MakeCard) -> tuple[FakeClient, threading.Semaphore]:
    gate = threading.Semaphore(0)
    return FakeClient([make_card()], gate=gate), gate


def begun(zoo: Zoo, gate: threading.Semaphore, qtbot: QtBot) -> Untyped:
    """Start a run, let it do one block, and return its layer."""
    zoo.page.desk.run_button.click()
    gate.release()
    qtbot.waitUntil(lambda: "1 of 9" in zoo.page.status.line, timeout=WAIT_MS)
    (layer,) = labels_of(zoo)
    return layer


def test_a_run_that_is_refused_says_why_and_what_to_do(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    for kind in (ServerBusy, QuotaExceeded, DiskFull, NotSignedIn, EngineUnavailable):
        error = kind(f"Not now: {kind.code}.", request_id="r-17")
        zoo.client.refuse = error
        zoo.page.desk.run_button.click()
        qtbot.waitUntil(partial(_tells, zoo, error.detail), timeout=WAIT_MS)
        assert "r-17" in zoo.page.status.message
        assert error.remedy.split(" (--")[0] in zoo.page.status.message
        qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
        assert not labels_of(zoo)
        assert zoo.page.desk.run_button.isEnabled()


BREAKS = (
    ("break_off", NotSignedIn("The sign-in has expired.")),
    ("break_off", BackendUnreachable("Nobody answers.")),
    ("break_off", DiskFull("This machine's disk is full.")),
    ("unsendable", SourceUnreadable("The layer raised OSError.")),
    ("unsendable", QuotaExceeded("The staging area is full.")),
)


def test_a_run_that_breaks_off_keeps_what_is_done_and_another_can_be_started(
    open_zoo: OpenZoo, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(IMAGE)
    for number, (place, error) in enumerate(BREAKS):
        setattr(zoo.client, place, error)
        zoo.page.desk.run_button.click()
        qtbot.waitUntil(partial(_tells, zoo, error.detail), timeout=WAIT_MS)
        qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
        assert len(labels_of(zoo)) == number + 1
        assert np.asarray(labels_of(zoo)[-1].data)[:16, :16].any()
        setattr(zoo.client, place, None)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: zoo.page.status.line == "Done.", timeout=WAIT_MS)
    assert not zoo.page.status.message


def _tells(zoo: Zoo, detail: str) -> bool:
    return detail in zoo.page.status.message


def test_a_sign_in_that_has_expired_is_said_wherever_the_backend_is_asked(
    open_zoo: OpenZoo, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    zoo = open_zoo()
    expired = NotSignedIn("The sign-in has expired.")

    def refuse(*_: object, **__: object) -> Untyped:
        raise expired

    monkeypatch.setattr(zoo.client, "models", refuse)
    zoo.client.away = expired
    zoo.page.refresh()
    qtbot.waitUntil(lambda: expired.remedy in zoo.page.status.message, timeout=WAIT_MS)
    zoo.dock.runs_page.refresh()
    qtbot.waitUntil(lambda: expired.remedy in zoo.dock.runs_page.status.message, timeout=WAIT_MS)
    monkeypatch.undo()
    zoo.page.refresh()
    qtbot.waitUntil(lambda: not zoo.page.status.message, timeout=WAIT_MS)


def test_an_image_that_is_renamed_or_removed_during_a_run_is_still_run(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    image = zoo.viewer.add_image(IMAGE, name="cells", scale=(2, 2))
    layer = begun(zoo, gate, qtbot)
    image.name = "renamed"
    gate.release()
    qtbot.waitUntil(lambda: "2 of 9" in zoo.page.status.line, timeout=WAIT_MS)
    zoo.viewer.layers.remove(image)
    gate.release(7)
    qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
    np.testing.assert_array_equal(layer.data, IMAGE > 50)
    np.testing.assert_array_equal(layer.scale, (2, 2))
    assert zoo.page.status.line == "Done."


def test_a_result_that_is_renamed_grows_on(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    layer = begun(zoo, gate, qtbot)
    layer.name = "mine"
    gate.release(8)
    qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
    assert labels_of(zoo) == [layer]
    assert layer.name == "mine"
    np.testing.assert_array_equal(layer.data, IMAGE > 50)


def test_closing_the_viewer_while_a_preview_goes_does_no_harm(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.preview_button.click()
    qtbot.waitUntil(lambda: bool(client.runs_started), timeout=WAIT_MS)
    zoo.viewer.close()
    gate.release(9)
    qtbot.waitUntil(lambda: client.closed, timeout=WAIT_MS)


def test_closing_the_viewer_while_the_backend_is_looked_for_closes_what_is_found(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    client, gate = FakeClient([make_card()]), threading.Event()
    entered = threading.Event()

    def connect(profile: str | None, /, *, start: bool) -> FakeClient:
        entered.set()
        gate.wait()
        return client

    viewer = make_napari_viewer_proxy()
    viewer.window.add_dock_widget(ModelZoo(viewer, connect=connect))
    qtbot.waitUntil(entered.is_set, timeout=WAIT_MS)
    viewer.close()
    gate.set()
    qtbot.waitUntil(lambda: client.closed, timeout=WAIT_MS)


def test_a_field_of_an_unknown_kind_is_a_text_with_a_note_and_the_run_goes(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    parameters = {"tint": {"type": "colour", "title": "Tint", "default": "red"}}
    zoo = open_zoo(FakeClient([make_card(parameters=parameters)]))
    zoo.viewer.add_image(IMAGE)
    row = zoo.page.form._rows["tint"]
    assert row.view.native.findChild(QLineEdit) is not None or isinstance(
        row.view.native, QLineEdit
    )
    assert row.fault.text()
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(idle(zoo), timeout=WAIT_MS)
    assert zoo.client.runs_started[0].parameters["tint"] == "red"


def test_hostile_text_of_a_card_is_nowhere_markup(open_zoo: OpenZoo, make_card: MakeCard) -> None:
    parameters = {
        "threshold": {"type": "number", "default": 1, "title": MARKUP, "description": MARKUP}
    }
    zoo = open_zoo(FakeClient([make_card(name=MARKUP, summary=MARKUP, parameters=parameters)]))
    zoo.page.models.browse()
    shown = [label for label in zoo.dock.findChildren(QLabel) if "img src" in label.text()]
    assert shown
    assert {label.textFormat() for label in shown} == {Qt.TextFormat.PlainText}
    assert not any("<img" in label.toolTip() for label in zoo.dock.findChildren(QLabel))
