"""`hmz-backend db`: bring the database's tables up, before the backend does so itself."""

import typer
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from hmz_backend.audit.entry import Entry, operator
from hmz_backend.audit.trail import append
from hmz_backend.check.database import connected, is_there
from hmz_backend.cli.database_work import Config, in_database
from hmz_backend.database.connection import table_version
from hmz_backend.settings import load_settings

db = typer.Typer(no_args_is_help=True, help="The tables of the database.")


@db.callback()
def group() -> None:
    """Make it a group although it has one command."""


@db.command()
def upgrade(config: Config = None) -> None:
    """Bring the tables to the version of this backend, from any older one.

    `serve` does the same at its start. Nothing is done if they are of this version already.
    """
    address = load_settings(config).database_address
    before = _version(address)
    after = in_database(config, lambda connection: _upgraded(connection, before))
    if before == after:
        typer.echo(f"The tables are of version {after} already.")
    else:
        typer.echo(f"The tables are of version {after} now; before: {before or 'none'}.")


def _upgraded(connection: Connection, before: str | None) -> str | None:
    """Return of which version the tables are now, and keep who has brought them up."""
    after = table_version(connection)
    if after != before:
        more = {"before": before or "none", "after": str(after)}
        append(connection, Entry("tables.upgraded", operator(), more=more))
    return after


def _version(address: str) -> str | None:
    url = make_url(address)
    if not is_there(url):
        return None
    with connected(url) as connection:
        return table_version(connection)
