"""Tables in a terminal that is too narrow for them: everything can be read."""

import sys

import pytest
from rich.table import Table

from napari_hmz.cli.tables import show_table


@pytest.mark.parametrize("columns", [20, 60])
def test_nothing_is_cut_in_a_narrow_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    table = Table(box=None)
    table.add_column("run", no_wrap=True)
    for name in ("state", "model", "image"):
        table.add_column(name)
    run = "0123" * 8
    table.add_row(run, "failed (non-finite-data)", "nuclei-2d 1.0.0", "nan.tif")
    show_table(table)
    shown = capsys.readouterr().out
    assert run in shown
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
