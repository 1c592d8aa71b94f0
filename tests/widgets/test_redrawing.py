"""What has new values is drawn soon, not too often, and in parts where that looks the same."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from hmz_widgets import redrawing
from hmz_widgets.redrawing import Redrawing
from napari_hmz.schema import Axes, Region

ZYX: Axes = ("z", "y", "x")
SHAPE = (4, 20, 30)
WHOLE: Region = {"z": (0, 4), "y": (0, 20), "x": (0, 30)}
LEFT: Region = {"z": (0, 4), "y": (0, 20), "x": (0, 10)}


class Shown:
    """A labels layer in a viewer, and what is drawn of it."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.viewer = ViewerModel()
        self.layer = self.viewer.add_labels(array)
        self.redrawing = Redrawing(self.viewer, ZYX, lambda: list(self.viewer.layers), _nothing)
        self.whole = 0
        self.parts: list[tuple[list[int], tuple[int, ...]]] = []
        self.layer.events.set_data.connect(self._note_whole)
        self.layer.events.labels_update.connect(self._note_part)

    def _note_whole(self, _event: object = None) -> None:
        self.whole += 1

    def _note_part(self, event: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self.parts.append((event.offset, event.data.shape))


def _nothing(_layer: object) -> None:
    return


@pytest.fixture
def shown(qtbot: QtBot) -> Shown:
    return Shown(np.zeros(SHAPE, np.uint32))


def test_many_chunks_are_drawn_once(qtbot: QtBot, shown: Shown) -> None:
    for _ in range(50):
        shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: bool(shown.parts))
    qtbot.wait(2 * shown.redrawing.pause_ms())
    assert shown.parts == [([0, 0], (20, 10))]
    assert shown.whole == 0


def test_after_a_rest_nothing_is_waited_for(
    qtbot: QtBot, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrawing, "FLOOR_2D_MS", 60_000)
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: len(shown.parts) == 1)
    shown.redrawing.mark(LEFT)
    qtbot.wait(300)
    assert len(shown.parts) == 1


def test_what_is_not_on_show_is_not_drawn(qtbot: QtBot, shown: Shown) -> None:
    shown.viewer.dims.set_current_step(0, 3)
    shown.redrawing.mark({**LEFT, "z": (0, 2)})
    qtbot.wait(2 * shown.redrawing.pause_ms())
    assert not shown.parts
    shown.redrawing.mark({**LEFT, "z": (2, 4), "y": (5, 9)})
    qtbot.waitUntil(lambda: shown.parts == [([5, 0], (4, 10))])


def test_a_volume_is_drawn_in_parts_too(qtbot: QtBot, shown: Shown) -> None:
    shown.viewer.dims.ndisplay = 3
    shown.redrawing.mark({**LEFT, "z": (1, 3)})
    qtbot.waitUntil(lambda: shown.parts == [([1, 0, 0], (2, 20, 10))])


def test_what_is_much_is_drawn_bit_by_bit(
    qtbot: QtBot, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrawing, "PATCHES_2D_PX", 200)
    for first in (0, 10, 20):
        shown.redrawing.mark({**LEFT, "x": (first, first + 10)})
    qtbot.waitUntil(lambda: len(shown.parts) == 1)
    qtbot.waitUntil(lambda: len(shown.parts) == 3)
    assert [offset for offset, _ in shown.parts] == [[0, 0], [0, 10], [0, 20]]


def test_a_part_that_is_nearly_all_is_drawn_with_the_rest(
    qtbot: QtBot, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrawing, "PATCHES_2D_PX", 200)
    shown.redrawing.mark(WHOLE)
    qtbot.waitUntil(lambda: shown.whole == 1)
    assert not shown.parts


def test_planes_that_lie_otherwise_are_drawn_whole(qtbot: QtBot, shown: Shown) -> None:
    shown.viewer.dims.order = (1, 2, 0)
    shown.whole = 0
    shown.redrawing.mark(WHOLE)
    qtbot.waitUntil(lambda: shown.whole == 1)
    assert not shown.parts


def test_a_stroke_of_the_person_is_not_left_beside_older_parts(qtbot: QtBot, shown: Shown) -> None:
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: bool(shown.parts))
    shown.redrawing.painted(WHOLE)
    qtbot.waitUntil(lambda: shown.whole == 1)
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: shown.whole == 2)
    assert len(shown.parts) == 1


def test_slow_drawing_is_done_less_often(shown: Shown) -> None:
    assert shown.redrawing.pause_ms() == 100
    shown.redrawing._last_ms = 300.0
    assert shown.redrawing.pause_ms() == 900  # one part in four of the time is drawing
    shown.viewer.dims.ndisplay = 3
    shown.redrawing._last_ms = 1.0
    assert shown.redrawing.pause_ms() == 500


class Clock:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(redrawing, "perf_counter", clock)
    return clock


@pytest.mark.parametrize("late_s", [0.0, 0.0804, 0.1])
def test_what_changes_late_in_a_drawing_changes_no_sooner_again_than_the_pause(
    qtbot: QtBot, shown: Shown, clock: Clock, late_s: float
) -> None:
    shown.viewer.dims.ndisplay = 3
    moments_s: list[float] = []

    def take_long(_event: object) -> None:
        clock.now_s += late_s
        moments_s.append(clock.now_s)

    shown.layer.events.labels_update.connect(take_long)
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: len(moments_s) == 1)
    clock.now_s += 0.0203
    shown.redrawing.mark(LEFT)
    due = shown.redrawing._due
    qtbot.waitUntil(due.isActive)
    assert clock.now_s + due.interval() / 1000 - moments_s[0] >= 0.5


def test_what_is_left_over_of_a_drawing_waits_as_long_as_what_comes_after_it(
    qtbot: QtBot, shown: Shown, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrawing, "PATCHES_2D_PX", 200)
    shown.layer.events.labels_update.connect(lambda _event: setattr(clock, "now_s", 1000.08))
    for first in (0, 10):
        shown.redrawing.mark({**LEFT, "x": (first, first + 10)})
    qtbot.waitUntil(lambda: len(shown.parts) == 1)
    due = shown.redrawing._due
    qtbot.waitUntil(due.isActive)
    assert 240 <= due.interval() <= 241  # of a drawing of 80 ms; rounded up


def test_a_layer_that_is_gone_or_hidden_is_not_drawn(qtbot: QtBot, shown: Shown) -> None:
    shown.layer.visible = False
    shown.redrawing.mark(LEFT)
    qtbot.wait(2 * shown.redrawing.pause_ms())
    shown.viewer.layers.clear()
    shown.redrawing.mark(LEFT)
    qtbot.wait(2 * shown.redrawing.pause_ms())
    assert not shown.parts


def test_tells_whether_there_is_something_to_see(qtbot: QtBot, shown: Shown) -> None:
    told: list[bool] = []
    shown.redrawing.drawn.connect(told.append)
    shown.layer.data[3, 5, 15] = 7  # in another plane, and beside what is marked
    shown.viewer.dims.set_current_step(0, 0)
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: told == [False])
    shown.redrawing.mark({**LEFT, "z": (2, 3)})  # not on show
    qtbot.waitUntil(lambda: told == [False, False])
    shown.layer.data[0, 5, 5] = 7
    shown.redrawing.mark(LEFT)
    qtbot.waitUntil(lambda: told == [False, False, True])


def test_nothing_is_drawn_once_it_is_over(qtbot: QtBot, shown: Shown) -> None:
    shown.redrawing.mark(LEFT)
    shown.redrawing.stop()
    qtbot.wait(2 * shown.redrawing.pause_ms())
    assert not shown.parts
