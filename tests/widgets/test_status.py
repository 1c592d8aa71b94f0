"""Words for how far a run is, how it ended, and what went wrong."""

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.status import (
    PAUSE_MS,
    StatusView,
    error_text,
    result_line,
    standing_line,
)
from napari_hmz.errors import HmzError, LocalBackendStopped, QuotaExceeded, VoxelSizeMismatch
from napari_hmz.live import Ended, perform
from napari_hmz.schema import ModelCard, OutputResult, Run
from napari_hmz.standing import Standing
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource


def test_a_line_says_what_is_done_or_awaited() -> None:
    link = Standing(
        "link", blocks_done=3, blocks_total=9, bytes_up_per_s=2e6, voxels_per_s=0, seconds_left=20
    )
    assert standing_line(link) == (
        "3 of 9 blocks · waiting for the link · 1.9 MiB/s sent · 20 s left"
    )
    busy = Standing("computing", blocks_total=9, voxels_per_s=2.5e6)
    assert standing_line(busy) == "0 of 9 blocks · 2.5 M voxels/s"
    unknown = Standing("engine", blocks_total=9)
    assert standing_line(unknown) == "0 of 9 blocks · waiting for the server (engine)"
    waits = Standing("queue", blocks_total=9, position=3, wait_s=120)
    assert standing_line(waits) == (
        "0 of 9 blocks · waiting in the queue (place 3) · begins in about 2 min 00 s"
    )


@pytest.fixture
def run(make_card: Callable[..., ModelCard]) -> Run:
    source = FakeSource(np.zeros((4, 4), np.uint8), ("y", "x"))
    client = FakeClient([make_card()])
    (*_, last) = perform(lambda: client.run("threshold", source))
    assert isinstance(last, Ended)
    return last.run


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([], "Done."),
        ([None], "Done."),
        ([1], "Done: 1 object."),
        ([2993, None], "Done: 2993 objects."),
        ([3, 0], "Done: 3 objects in a, 0 objects in b."),
    ],
)
def test_results(run: Run, objects: list[int | None], words: str) -> None:
    results = [OutputResult(name=n, objects=o) for n, o in zip("ab", objects, strict=False)]
    assert result_line(run.model_copy(update={"results": tuple(results)})) == words


def test_a_cancelled_run_keeps_its_part(run: Run) -> None:
    assert "stays" in result_line(run.model_copy(update={"state": "cancelled"}))


def test_errors_come_with_remedy_and_request() -> None:
    error = QuotaExceeded("Full.", request_id="r-1")
    assert error_text(error) == f"⚠ Full.\n{error.remedy}\nRequest r-1"
    assert error_text(HmzError("Oh.")) == "⚠ Oh."
    assert error_text(LocalBackendStopped("It stands still.")) == "⚠ It stands still.\nPress Start."


def test_options_of_the_shell_are_left_out() -> None:
    text = error_text(VoxelSizeMismatch("Too large."))
    assert "--" not in text
    assert text.endswith("run all the same.")


def test_new_work_forgets_old_trouble(qtbot: QtBot) -> None:
    view = StatusView()
    qtbot.addWidget(view.native)
    view.native.show()
    view.fail(QuotaExceeded("Full."))
    assert view._message.isVisible()
    assert not view._bar.isVisible()
    view.busy("Preparing …")
    assert not view._message.isVisible()
    assert view._bar.isVisible()
    view.advance(Standing("computing", blocks_done=3, blocks_total=9))
    assert (view._bar.value(), view._bar.maximum()) == (3, 9)
    view.rest("Done.")
    assert not view._bar.isVisible()
    assert view.line == "Done."


def test_of_many_standings_only_the_newest_is_shown(qtbot: QtBot) -> None:
    view = StatusView()
    qtbot.addWidget(view.native)
    shown: list[int] = []
    view._bar.valueChanged.connect(shown.append)
    for done in range(1, 100):
        view.advance(Standing("computing", blocks_done=done, blocks_total=99))
    qtbot.waitUntil(lambda: bool(view._bar.value() == 99))
    assert shown == [1, 99]
    assert view.line.startswith("99 of 99 blocks")


def test_the_last_word_is_not_overtaken_by_a_standing_that_waits(qtbot: QtBot) -> None:
    view = StatusView()
    qtbot.addWidget(view.native)
    for done in (1, 2):
        view.advance(Standing("computing", blocks_done=done, blocks_total=9))
    view.rest("Done.")
    qtbot.wait(2 * PAUSE_MS)
    assert view.line == "Done."


def test_hostile_words_are_shown_as_they_are(qtbot: QtBot) -> None:
    view = StatusView()
    qtbot.addWidget(view.native)
    view.fail(HmzError("<a href='http://x'>click</a>"))
    assert "<a href" in view.message
    assert str(view._message.textFormat()).endswith("PlainText")
