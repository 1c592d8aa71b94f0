"""The table of runs: what a cell says, and what happens to it when the runs change."""

from dataclasses import replace
from datetime import UTC, datetime

from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from hmz_widgets.runs_table import TITLES, RunsTable
from napari_hmz.run_list import RunRow, row_of
from napari_hmz.testing.fake_run import fake_run


def a_row(run: str = "r1", **changes: object) -> RunRow:
    row = row_of(fake_run(run_id=run), datetime(2026, 1, 2, tzinfo=UTC))
    return replace(row, **changes)  # type: ignore[arg-type] # the tests know the fields


def texts(table: RunsTable, place: int) -> list[str]:
    return [table.data(table.index(place, column)) for column in range(len(TITLES))]


def test_it_is_a_model_as_qt_wants_it(qtmodeltester: ModelTester) -> None:
    table = RunsTable()
    table.show([a_row("r1"), a_row("r2")])
    qtmodeltester.check(table)  # type: ignore[no-untyped-call] # pytest-qt's has no types
    table.show([a_row("r2")])
    table.show([])


def test_a_row_says_all_that_is_needed_to_choose() -> None:
    table = RunsTable()
    table.show([a_row(age="2 h ago")])
    assert texts(table, 0) == ["n", "m", "done", "2 h ago", "Python"]


def test_the_same_runs_change_in_place(qtbot: QtBot) -> None:
    table = RunsTable()

    def going(percent: int) -> RunRow:
        can = frozenset({"attach", "cancel"})
        return a_row(percent=percent, state="computing", actions=can)

    assert table.show([going(5), a_row("r2")])
    with qtbot.waitSignal(table.dataChanged), qtbot.assertNotEmitted(table.modelReset):
        assert not table.show([going(6), a_row("r2")])
    assert texts(table, 0)[2] == "6 %"
    with qtbot.assertNotEmitted(table.dataChanged):
        table.show([going(6), a_row("r2")])


def test_what_a_run_waits_for_stands_beside_how_far_it_is() -> None:
    table, can = RunsTable(), frozenset({"attach", "cancel"})
    table.show([a_row(percent=6, state="waiting for the image", actions=can)])
    assert texts(table, 0)[2] == "6 %, waiting for the image"


def test_a_tooltip_shows_what_strangers_wrote_as_it_is_written() -> None:
    table = RunsTable()
    table.show([a_row(volume="<img src=x>")])
    tip = table.data(table.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert "&lt;img src=x&gt;" in tip
