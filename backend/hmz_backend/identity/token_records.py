"""Tokens as rows, and back: every query about them; never the token itself."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from hmz_backend.database.tables import PersonRow, TokenRow
from hmz_backend.identity import person_records
from hmz_backend.identity.protocol import Principal
from napari_hmz.schema import ApiToken


def add(connection: Connection, owner: Principal, made: ApiToken, digest: str, at: str) -> None:
    """Keep a new token, and forget those of the owner that have expired."""
    person_records.note(connection, owner)
    connection.execute(delete(TokenRow).where(*_of(owner), TokenRow.expires_at <= at))
    connection.execute(
        insert(TokenRow).values(
            id=made.id,
            issuer=owner.issuer,
            subject=owner.subject,
            name=made.name,
            scopes=json.dumps(made.scopes),
            digest=digest,
            created_at=made.created_at,
            expires_at=made.expires_at,
            used_at=None,
        )
    )


def find(connection: Connection, token: str) -> Row[Any] | None:
    """Return a token by its id, with what is known of its owner."""
    query = (
        select(
            TokenRow.__table__,
            PersonRow.groups,
            PersonRow.groups_at,
            PersonRow.name.label("owner_name"),
        )
        .join(
            PersonRow,
            (PersonRow.issuer == TokenRow.issuer) & (PersonRow.subject == TokenRow.subject),
        )
        .where(TokenRow.id == token)
    )
    return connection.execute(query).first()


def listing(connection: Connection, owner: Principal, at: str) -> list[ApiToken]:
    """Return somebody's tokens that have not expired, the newest first."""
    query = (
        select(TokenRow.__table__)
        .where(*_of(owner), TokenRow.expires_at > at)
        .order_by(TokenRow.created_at.desc(), TokenRow.id)
    )
    return [
        ApiToken(
            id=row.id,
            name=row.name,
            scopes=tuple(json.loads(row.scopes)),
            created_at=row.created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
        )
        for row in connection.execute(query)
    ]


def used(connection: Connection, token: str, at: str) -> None:
    """Write down that a token was used."""
    connection.execute(update(TokenRow).where(TokenRow.id == token).values(used_at=at))


def remove(connection: Connection, owner: Principal, token: str) -> None:
    """Forget a token."""
    connection.execute(delete(TokenRow).where(*_of(owner), TokenRow.id == token))


def _of(owner: Principal) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (TokenRow.issuer == owner.issuer, TokenRow.subject == owner.subject)
