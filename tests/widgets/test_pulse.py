"""Whoever looks at a run hears soon that the backend does not answer, and that it does again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets import pulse
from napari_hmz.errors import BackendUnreachable, LimitReached
from napari_hmz.testing.fake_client import FakeClient

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
IMAGE = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "PERIOD_MS", 20)
    for name in ("HMZ_URL", "HMZ_TOKEN", "HMZ_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_run_that_waits_for_a_backend_says_so_until_it_answers(
    start_run: Callable[..., Untyped], qtbot: QtBot
) -> None:
    zoo = start_run(IMAGE)
    header, status = zoo.dock.header, zoo.page.status
    zoo.client.away = BackendUnreachable("Nobody answers.")
    qtbot.waitUntil(lambda: "Nobody answers." in status.message)
    assert "press Start" in status.message
    assert "1 of " in status.line
    assert header.state == "No answer"
    assert not header.start_button.isHidden()
    zoo.client.away = None
    qtbot.waitUntil(lambda: not status.message)
    assert header.state == "Running"
    assert header.start_button.isHidden()
    zoo.client.gate.release(10)
    qtbot.waitUntil(lambda: not zoo.page.desk.running)


def test_a_backend_that_refuses_is_there(start_run: Callable[..., Untyped], qtbot: QtBot) -> None:
    zoo = start_run(IMAGE)
    zoo.client.away = LimitReached("Not so fast.")
    qtbot.wait(200)
    assert zoo.dock.header.state == "Running"
    assert not zoo.page.status.message
    zoo.client.gate.release(10)
    qtbot.waitUntil(lambda: not zoo.page.desk.running)


def test_nobody_is_asked_while_nothing_runs(
    open_zoo: Callable[..., Untyped], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FakeClient] = []
    monkeypatch.setattr(FakeClient, "check", asked.append)
    open_zoo()
    qtbot.wait(200)
    assert not asked


def test_one_that_has_ended_is_started_again_and_the_old_run_let_go(
    start_run: Callable[..., Untyped], qtbot: QtBot
) -> None:
    zoo = start_run(IMAGE)
    zoo.client.away = BackendUnreachable("Nobody answers.")
    qtbot.waitUntil(lambda: zoo.dock.header.state == "No answer")
    zoo.client.away = None
    zoo.dock.header.start_button.click()
    qtbot.waitUntil(lambda: zoo.client.closed)  # whoever waits for the old one gives up
    qtbot.waitUntil(lambda: zoo.dock.header.state == "Running")
    assert zoo.dock.header.start_button.isHidden()
    zoo.client.gate.release(10)
    qtbot.waitUntil(lambda: not zoo.page.desk.running)
