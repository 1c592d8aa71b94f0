"""`hmz-backend audit`: who did what, and the proof that nothing of it was changed."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from hmz_backend.audit import trail
from hmz_backend.audit.chain import Mark, Record, TrailBroken, canonical, verify
from hmz_backend.audit.checkpoints import checkpoint_line, read_checkpoints
from hmz_backend.audit.entry import Entry, operator
from hmz_backend.cli.database_work import Config, Since, day, in_database
from napari_hmz.cli.tables import show_table
from napari_hmz.errors import RequestError

LISTED = 200  # records in a listing without a beginning, the newest
COLUMNS = ("number", "at", "what", "who", "thing", "model", "data", "outcome", "more", "request")
audit = typer.Typer(
    no_args_is_help=True, help="Who did what, and the proof that nothing of it was changed."
)


@audit.command("list")
def list_records(since: Since = None, config: Config = None) -> None:
    """List the newest records, or all since a day, oldest first."""

    def work(connection: Connection) -> list[Record]:
        found = trail.newest(connection, LISTED)
        if since is not None:
            found = list(trail.records(connection, day(since)))
        _read_by_operator(connection, since)
        return found

    table = Table(box=None)
    for name in COLUMNS:
        table.add_column(name, no_wrap=name in ("number", "at", "what"))
    for record in in_database(config, work):
        table.add_row(*(escape(text) for text in _row(record)))
    show_table(table, otherwise="There are no records yet.")


@audit.command("verify")
def verify_records(
    exported: Annotated[
        Path | None, typer.Argument(help="Records written by `audit export`; none: the database.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Checkpoints that lie elsewhere, a line each; lines of a log will do."),
    ] = None,
    config: Config = None,
) -> None:
    """Follow the chain of records. Exit code 1, and the first broken record, if it was changed."""
    marks = _marks(checkpoints)
    try:
        if exported is None:
            begin, end = in_database(config, lambda connection: _verified(connection, marks))
        else:
            begin, end = verify(_exported(exported), marks=marks)
    except TrailBroken as broken:
        typer.echo(f"BROKEN  {broken}", err=True)
        raise typer.Exit(1) from broken
    typer.echo(f"Records {begin.number + 1} to {end.number} are as they were written.")
    typer.echo(f"first follows {begin.digest}\nlast is       {end.digest}")


@audit.command()
def export(since: Since = None, config: Config = None) -> None:
    """Write records to standard output, one a line as JSON; `audit verify FILE` checks them."""

    def work(connection: Connection) -> None:
        until = trail.head(connection).number
        for record in trail.records(connection, day(since), until=until):
            typer.echo(json.dumps({"digest": record.digest, "record": record.document()}))
        _read_by_operator(connection, since)

    in_database(config, work)


@audit.command()
def checkpoint(config: Config = None) -> None:
    """Write where the trail ends, one line: kept elsewhere, it proves that nothing was cut off."""
    typer.echo(checkpoint_line(in_database(config, trail.head)))


@audit.command()
def remove(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Records up to this day (UTC) go.")
    ],
    config: Config = None,
) -> None:
    """Remove old records; a new one says so, and the chain can still be verified from there."""
    count = in_database(config, lambda c: trail.remove(c, day(before), operator()))
    typer.echo(f"Removed: {count} records.")


def _read_by_operator(connection: Connection, since: datetime | None) -> None:
    """Keep who has read what people did; at the end, since it locks the trail."""
    trail.append(connection, Entry("records.read", operator(), more={"since": day(since)}))


def _verified(connection: Connection, marks: list[Mark]) -> tuple[Mark, Mark]:
    head = trail.head(connection)
    return verify(trail.records(connection, until=head.number), head, marks)


def _marks(path: Path | None) -> list[Mark]:
    if path is None:
        return []
    try:
        return read_checkpoints(path.read_text("utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise RequestError(f"The checkpoints in {path} cannot be read: {error}.") from error


def _exported(path: Path) -> Iterator[Record]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from _read(lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{path} is not what `audit export` has written: {error}.",
        ) from error


def _read(lines: Iterable[str]) -> Iterator[Record]:
    for line in lines:
        said: dict[str, Any] = json.loads(line)
        record = said["record"]
        yield Record(record["number"], record["at"], canonical(record), said["digest"])


def _row(record: Record) -> list[str]:
    said = record.document()
    more = " ".join(f"{name}={value}" for name, value in said.get("more", {}).items())
    texts = {
        **said,
        "number": str(record.number),
        "who": _who(said),
        "model": f"{said.get('model', '')} {said.get('version', '')}".strip(),
        "more": more,
    }
    return [str(texts.get(name, "")) for name in COLUMNS]


def _who(said: dict[str, Any]) -> str:
    person = " of ".join(said[name] for name in ("subject", "issuer") if name in said)
    return f"{person} ({said['credential']})" if "credential" in said else person
