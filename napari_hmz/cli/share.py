"""`hmz share`: let others see a run, or go on with it."""

from typing import Annotated, Literal

import typer

from napari_hmz.cli import options
from napari_hmz.client import Client, connect
from napari_hmz.errors import NotFound
from napari_hmz.schema import Share

_GROUP = ":group:"  # what a group has in its text, and no person's name


def share(
    run: Annotated[str, typer.Argument(help="The run's id, as `hmz runs` lists it.")],
    *,
    whom: Annotated[
        str, typer.Option("--with", help="A group (urn:...:group:...#...), or a person's subject.")
    ] = "",
    to: Annotated[
        Literal["read", "continue"],
        typer.Option(
            help="read: see it and its results; continue: also stop and resume it, send its image."
        ),
    ] = "read",
    stop: Annotated[str, typer.Option(help="Share it no longer with this group or person.")] = "",
    issuer: Annotated[str, typer.Option(help="The person's issuer, if it is not yours.")] = "",
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Share a run of yours with a group or a person; then, or without --with, list its shares."""
    with connect(url, profile=profile, engine=engine) as client:
        if stop:
            _stop(client, run, stop, issuer)
        if whom:
            group, subject = (whom, "") if _GROUP in whom else ("", whom)
            client.share(run, group=group, subject=subject, issuer=issuer, allows=to)
        shares = client.shares(run)
    if json:
        typer.echo(f"[{','.join(each.model_dump_json() for each in shares)}]")
    else:
        typer.echo("\n".join(map(_words, shares)) or f"Run {run} is shared with nobody.")


def _stop(client: Client, run: str, whom: str, issuer: str) -> None:
    meant = [
        each
        for each in client.shares(run)
        if whom in (each.group, each.subject) and issuer in ("", each.issuer)
    ]
    if not meant:
        raise NotFound(f"Run {run} is not shared with {whom}.", remedy=f"See `hmz share {run}`.")
    for each in meant:
        client.unshare(run, each.id)


def _words(each: Share) -> str:
    whom = each.group or f"{each.subject} of {each.issuer}"
    return f"{each.allows:8}  {whom}"
