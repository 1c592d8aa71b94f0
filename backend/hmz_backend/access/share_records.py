"""Shares as rows: every query about them."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select

from hmz_backend.access.rights import GIVEN, Grant, Right
from hmz_backend.database.tables import RunRow, ShareRow, VolumeRow
from hmz_backend.identity.protocol import Principal
from napari_hmz.schema import RunRequest, Share

GRANT: Final = (ShareRow.allows, ShareRow.group_text, ShareRow.issuer, ShareRow.subject)
NAMED: Final = 500  # groups in one query: SQLite takes no more than 999 values


def run_grants(connection: Connection, run: str) -> list[Grant]:
    """Return what the shares of a run give."""
    return _grants(connection, ShareRow.thing == run)


def volume_grants(connection: Connection, volume: str) -> list[Grant]:
    """Return what the shares of a volume give; who may continue a run may send its images.

    Only if run and image have the same owner: nobody gives away by a run of theirs what was shared
    with them.
    """
    query = select(*GRANT, RunRow.request).where(
        ShareRow.thing == RunRow.id,
        ShareRow.allows == "continue",
        RunRow.request.contains(volume, autoescape=True),  # narrows down; the words decide
        VolumeRow.id == volume,
        VolumeRow.issuer == RunRow.issuer,
        VolumeRow.subject == RunRow.subject,
    )
    by_run = [
        _grant(*row[:-1])
        for row in connection.execute(query)
        if volume in RunRequest.model_validate_json(row[-1]).volumes
    ]
    return [*_grants(connection, ShareRow.thing == volume), *by_run]


def shared_with(connection: Connection, caller: Principal) -> dict[str, Right]:
    """Return the volumes and runs that are shared with a caller, and how far they may go."""
    person = and_(
        ShareRow.group_text == "",
        ShareRow.issuer == caller.issuer,
        ShareRow.subject == caller.subject,
    )
    query = select(ShareRow.thing, ShareRow.allows)
    found: dict[str, Right] = {}
    for groups in _some(sorted(caller.groups)):
        rows = connection.execute(query.where(or_(person, ShareRow.group_text.in_(groups))))
        for thing, allows in rows:
            found[thing] = max(found.get(thing, Right.NONE), GIVEN[allows])
    return found


def shares_of(connection: Connection, thing: str) -> list[Share]:
    """Return the shares of a volume or run, the oldest first."""
    table = ShareRow.__table__
    query = select(table).where(ShareRow.thing == thing).order_by(ShareRow.created_at, ShareRow.id)
    return [
        Share(
            id=row.id,
            group=row.group_text,
            issuer=row.issuer,
            subject=row.subject,
            allows=row.allows,
            created_at=row.created_at,
        )
        for row in connection.execute(query)
    ]


def put_share(connection: Connection, thing: str, share: Share) -> None:
    """Keep a share; an earlier one for the same person or group is replaced."""
    connection.execute(
        delete(ShareRow).where(
            ShareRow.thing == thing,
            ShareRow.group_text == share.group,
            ShareRow.issuer == share.issuer,
            ShareRow.subject == share.subject,
        )
    )
    connection.execute(
        insert(ShareRow).values(
            id=share.id,
            thing=thing,
            group_text=share.group,
            issuer=share.issuer,
            subject=share.subject,
            allows=share.allows,
            created_at=share.created_at,
        )
    )


def remove_share(connection: Connection, thing: str, share: str) -> None:
    """Take a share back."""
    connection.execute(delete(ShareRow).where(ShareRow.thing == thing, ShareRow.id == share))


def remove_shares(connection: Connection, thing: str) -> None:
    """Take all shares of something back, which is being removed."""
    connection.execute(delete(ShareRow).where(ShareRow.thing == thing))


def _grants(connection: Connection, *which: ColumnElement[bool]) -> list[Grant]:
    return [_grant(*row) for row in connection.execute(select(*GRANT).where(*which))]


def _grant(allows: str, group: str, issuer: str, subject: str) -> Grant:
    return Grant("continue" if allows == "continue" else "read", group, (issuer, subject))


def _some(groups: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield some groups at a time, at least once."""
    for start in range(0, max(len(groups), 1), NAMED):
        yield groups[start : start + NAMED]
