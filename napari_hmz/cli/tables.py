"""Tables on standard output: as wide as the terminal, or as they need to be in a pipe."""

import sys

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_PIPE_COLUMNS = 1000


def show_table(table: Table, *, otherwise: str = "") -> None:
    """Write a table, or a sentence if it has no rows.

    In a terminal that is too narrow for it, long words and lines run on: nothing is cut.
    """
    for column in table.columns:
        column.overflow = "fold"
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    words = Measurement.get(console, console.options.update(max_width=_PIPE_COLUMNS), table).minimum
    if words > console.width:
        console = Console(width=words, soft_wrap=True)
    console.print(table if table.row_count else otherwise)
