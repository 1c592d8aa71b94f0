"""`hmz tokens`: tokens for scripts that nobody signs in for."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from napari_hmz.cli import options
from napari_hmz.cli.tables import show_table
from napari_hmz.client import connect
from napari_hmz.errors import RequestError
from napari_hmz.schema import ApiToken, TokenRequest

tokens = typer.Typer(no_args_is_help=True, help="Tokens for scripts that nobody signs in for.")

Name = Annotated[str, typer.Argument(help="What it is for, in your words.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help="read: look at models, runs and results; run: send images, start and change runs. May"
        " be repeated; else both.",
        show_default=False,
    ),
]
Days = Annotated[int, typer.Option(help="How long it lasts.")]


@tokens.command()
def create(
    *,
    name: Name,
    scope: Scopes = None,
    days: Days = 90,
    url: options.Url = None,
    profile: options.Profile = None,
    json: options.Json = False,
) -> None:
    """Make a token and show it, this once: keep it where only the script can read it.

    The script gives it in HMZ_TOKEN. It acts for you, with your groups and without further roles.
    """
    asked = {"name": name, "scopes": scope or ["read", "run"], "days": days}
    try:
        request = TokenRequest.model_validate(asked)
    except ValidationError as error:
        faults = {fault["loc"][0]: fault["msg"] for fault in reversed(error.errors())}
        words = "; ".join(f"{name}: {message}" for name, message in faults.items())
        raise RequestError(f"Such a token cannot be made: {words}.") from None
    with connect(url, profile=profile) as client:
        made = client.create_token(request)
    if json:
        typer.echo(made.model_dump_json())
        return
    typer.echo(made.token)
    typer.echo(f"{made.name}: good until {_day(made.expires_at)}, shown only now.", err=True)


@tokens.command("list")
def list_tokens(
    url: options.Url = None, profile: options.Profile = None, json: options.Json = False
) -> None:
    """List your tokens that have not expired, the newest first."""
    with connect(url, profile=profile) as client:
        found = client.tokens()
    if json:
        typer.echo(TypeAdapter(tuple[ApiToken, ...]).dump_json(found))
        return
    table = Table(box=None)
    table.add_column("token", no_wrap=True)  # it is copied to `revoke`
    for column in ("name", "scopes", "made", "expires", "last used"):
        table.add_column(column)
    for one in found:
        times = map(_day, (one.created_at, one.expires_at, one.used_at))
        table.add_row(one.id, escape(one.name), " ".join(one.scopes), *times)
    show_table(table, otherwise="You have no token.")


@tokens.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, as `hmz tokens list` shows it.")],
    url: options.Url = None,
    profile: options.Profile = None,
) -> None:
    """Take a token back; it stops working at once."""
    with connect(url, profile=profile) as client:
        client.revoke_token(token)


def _day(at: str | None) -> str:
    return "" if at is None else f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d}"
