"""napari's activity dock shows where a run stands, whatever the run comes to, and lets go of it."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.utils import progress
from pytestqt.qtbot import QtBot

from hmz_widgets.activity import Activity
from napari_hmz.errors import BackendUnreachable, QuotaExceeded
from napari_hmz.schema import ModelCard
from napari_hmz.standing import Standing
from napari_hmz.testing.fake_client import FakeClient

OpenZoo = Callable[..., Any]
MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.random.default_rng(1).integers(0, 100, (40, 33)).astype(np.uint8)
WAIT_MS = 20_000


def bars() -> list[Any]:
    return list(progress._all_instances)


def gated(make_card: MakeCard) -> FakeClient:
    return FakeClient([make_card()], gate=threading.Semaphore(0))


def begun(open_zoo: OpenZoo, client: FakeClient, qtbot: QtBot) -> Untyped:
    """Start a run whose blocks wait for the gate, and wait until the dock shows it."""
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE, name="cells")
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: len(zoo.viewer.layers) == 2 and len(bars()) == 1, timeout=WAIT_MS)
    return zoo


def test_the_dock_shows_how_far_the_run_is(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    client = gated(make_card)
    zoo = begun(open_zoo, client, qtbot)
    assert client.gate is not None
    client.gate.release(4)
    qtbot.waitUntil(lambda: [bar.n for bar in bars()] == [4], timeout=WAIT_MS)
    assert bars()[0].total == 9
    assert bars()[0].desc.startswith("cells: 4 of 9 blocks · computing")
    client.gate.release(9)
    qtbot.waitUntil(lambda: not zoo.page.running, timeout=WAIT_MS)
    assert not bars()


def test_it_can_be_cancelled_there(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    zoo = begun(open_zoo, gated(make_card), qtbot)
    bars()[0].cancel()
    qtbot.waitUntil(lambda: not zoo.page.running, timeout=WAIT_MS)
    assert zoo.client.runs_started[0].cancelled.is_set()
    assert not bars()


@pytest.mark.parametrize(
    "faults", [{"refuse": QuotaExceeded("Full.")}, {"break_off": BackendUnreachable("Gone.")}]
)
def test_a_run_that_fails_leaves_no_bar(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot, faults: dict[str, Any]
) -> None:
    zoo = open_zoo(FakeClient([make_card()], **faults))
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.run_button.click()
    qtbot.waitUntil(lambda: bool(zoo.page.status.message), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not zoo.page.running, timeout=WAIT_MS)
    assert not bars()


def test_closing_the_dock_takes_the_bar_away(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = begun(open_zoo, gated(make_card), qtbot)
    zoo.viewer.window.remove_dock_widget(zoo.dock)
    zoo.dock.deleteLater()
    qtbot.waitUntil(lambda: not bars(), timeout=WAIT_MS)
    zoo.client.gate.release(20)


def test_closing_napari_takes_the_bar_away(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = begun(open_zoo, gated(make_card), qtbot)
    zoo.viewer.close()
    qtbot.waitUntil(lambda: not bars(), timeout=WAIT_MS)
    zoo.client.gate.release(20)


def test_a_preview_is_not_announced(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    client = gated(make_card)
    zoo = open_zoo(client)
    zoo.viewer.add_image(IMAGE)
    zoo.page.desk.preview_button.click()
    qtbot.waitUntil(lambda: len(zoo.viewer.layers) == 2, timeout=WAIT_MS)
    qtbot.wait(100)
    assert not bars()
    zoo.client.gate.release(20)
    qtbot.waitUntil(lambda: not zoo.dock.bridge.busy, timeout=WAIT_MS)


def test_what_is_over_before_it_is_shown_is_not_shown(qtbot: QtBot) -> None:
    activity = Activity("cells", lambda: None)
    activity.close()
    activity.advance(Standing("computing", blocks_done=1, blocks_total=2))
    qtbot.wait(100)
    assert not bars()


def test_the_terminal_stays_quiet(qtbot: QtBot, capsys: pytest.CaptureFixture[str]) -> None:
    activity = Activity("cells", lambda: None)
    qtbot.waitUntil(lambda: bool(bars()))
    activity.advance(Standing("computing", blocks_done=1, blocks_total=2))
    qtbot.waitUntil(lambda: [bar.n for bar in bars()] == [1])
    activity.close()
    assert capsys.readouterr() == ("", "")


def test_a_bar_that_is_gone_holds_nothing(qtbot: QtBot, make_napari_viewer_proxy: Untyped) -> None:
    make_napari_viewer_proxy()
    activity = Activity("cells", lambda: None)
    qtbot.waitUntil(lambda: bool(bars()))
    gone = weakref.ref(activity)
    activity.close()
    del activity
    gc.collect()
    assert gone() is None
