"""`hmz-backend usage`: who has used how much of the backend."""

import csv
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from hmz_backend.audit.entry import Entry, operator
from hmz_backend.audit.trail import append
from hmz_backend.cli.database_work import Config, Since, day, in_database
from hmz_backend.usage.amount import Amount
from hmz_backend.usage.report import FIRST_DAY, LAST_DAY, NAMES, By, Names, Span, report
from napari_hmz.cli.tables import show_table

AMOUNTS = ("tiles", "voxels", "engine_s", "bytes_up", "bytes_down")
Line = tuple[Names, Amount]


def usage(
    by: Annotated[By, typer.Option(help="One line for each of these.")] = "person",
    since: Since = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only up to this day (UTC).")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
    config: Config = None,
) -> None:
    """Say who has used how much: tiles, voxels, seconds of the engine, bytes up and down.

    Whoever is in several groups counts in each of them with everything: these lines do not add up.
    """
    span = Span(day(since) or FIRST_DAY, day(until) or LAST_DAY)
    more = {"by": by, "since": span.since, "until": span.until}

    def work(connection: Connection) -> list[Line]:
        append(connection, Entry("usage.listed", operator(), more=more))
        return report(connection, by, span)

    lines = in_database(config, work)
    if as_csv:
        _write(by, lines)
    else:
        _show(by, lines)


def _write(by: By, lines: Iterable[Line]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*NAMES[by], *AMOUNTS])
    for names, amount in lines:
        writer.writerow([*map(_harmless, names), *_figures(amount)])


def _harmless(name: str) -> str:
    """Return a name that no spreadsheet takes for a formula: people choose some of them."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def _show(by: By, lines: Iterable[Line]) -> None:
    table = Table(box=None)
    for name in NAMES[by]:
        table.add_column(name, no_wrap=True)
    for name in AMOUNTS:
        table.add_column(name.replace("_", " "), justify="right")
    for names, amount in lines:
        table.add_row(*(escape(name or "(none)") for name in names), *_figures(amount))
    show_table(table, otherwise="Nothing was used yet.")


def _figures(amount: Amount) -> list[str]:
    return [
        str(amount.tiles),
        str(amount.voxels),
        f"{amount.engine_s:.3f}",
        str(amount.bytes_up),
        str(amount.bytes_down),
    ]
