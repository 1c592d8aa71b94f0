"""What commands do with the backend's database, in one transaction of their own."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from hmz_backend.database.connection import open_database
from hmz_backend.settings import load_settings

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only from this day on (UTC).")
]


def in_database(config: Path | None, work: Callable[[Connection], T]) -> T:
    """Return what `work` returns; what it writes is committed, or none of it."""
    engine = open_database(load_settings(config).database_address)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def day(given: datetime | None) -> str:
    """Return a day as times are written that begin with it; empty if none was given."""
    return "" if given is None else date(given.year, given.month, given.day).isoformat()
