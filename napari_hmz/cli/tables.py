"""Tables on standard output: as wide as the terminal, or as they need to be in a pipe."""

import sys

from rich.console import Console
from rich.table import Table

_PIPE_COLUMNS = 1000


def show_table(table: Table, *, otherwise: str = "") -> None:
    """Write a table, or a sentence if it has no rows."""
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    console.print(table if table.row_count else otherwise)
