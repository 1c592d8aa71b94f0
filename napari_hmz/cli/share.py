"""`hmz share`: let others see a run, or go on with it, or use its image in runs of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    image: Annotated[
        bool,
        typer.Option(
            "--image",
            help="Share the run's image in its place, for runs of their own; "
            "continue: also send chunks of it.",
        ),
    ] = False,
    stop: Annotated[str, typer.Option(help="Share it no longer with this group or person.")] = "",
    issuer: Annotated[str, typer.Option(help="The person's issuer, if it is not yours.")] = "",
    url: options.Url = None,
    profile: options.Profile = None,
    engine: options.Engine = None,
    json: options.Json = False,
) -> None:
    """Share a run of yours with a group or a person; then, or without --with, list its shares."""
    with connect(url, profile=profile, engine=engine) as client:
        things = _images(client, run) if image else [_run(client, run)]
        if stop:
            _stop(things, stop, issuer)
        if whom:
            group, subject = (whom, "") if _GROUP in whom else ("", whom)
            for thing in things:
                thing.share(thing.id, group=group, subject=subject, issuer=issuer, allows=to)
        shares = [share for thing in things for share in thing.shares(thing.id)]
    if json:
        typer.echo(f"[{','.join(each.model_dump_json() for each in shares)}]")
    else:
        words = dict.fromkeys(map(_words, shares))  # those of several images are mostly the same
        typer.echo("\n".join(words) or f"{things[0].words} is shared with nobody.")


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is shared, and how a client does so with things of its kind."""

    id: str
    words: str
    remedy: str
    share: Callable[..., Share]
    shares: Callable[[str], Sequence[Share]]
    unshare: Callable[[str, str], None]


def _run(client: Client, run: str) -> _Thing:
    ways = (client.share, client.shares, client.unshare)
    return _Thing(run, f"Run {run}", f"See `hmz share {run}`.", *ways)


def _images(client: Client, run: str) -> list[_Thing]:
    """Return the images of a run, one for each input of its model."""
    words, remedy = f"The image of run {run}", f"See `hmz share {run} --image`."
    ways = (client.share_volume, client.volume_shares, client.unshare_volume)
    return [_Thing(each, words, remedy, *ways) for each in client.info(run).request.volumes]


def _stop(things: Sequence[_Thing], whom: str, issuer: str) -> None:
    meant = [
        (thing, share)
        for thing in things
        for share in thing.shares(thing.id)
        if whom in (share.group, share.subject) and issuer in ("", share.issuer)
    ]
    if not meant:
        words = f"{things[0].words} is not shared with {whom}."
        raise NotFound(words, remedy=things[0].remedy)
    for thing, share in meant:
        thing.unshare(thing.id, share.id)


def _words(each: Share) -> str:
    whom = each.group or f"{each.subject} of {each.issuer}"
    return f"{each.allows:8}  {whom}"
