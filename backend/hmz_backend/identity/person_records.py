"""Persons as rows, and back: every query about them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, select, update

from hmz_backend.database.tables import PersonRow
from hmz_backend.database.upsert import insert_if_absent
from hmz_backend.identity.protocol import Principal

Person = tuple[str, str]
"""Issuer and subject."""


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """What is written down of someone; times are ISO 8601 in UTC."""

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]
    first_seen: str
    last_seen: str
    suspended_at: str | None


def now() -> str:
    """Return the time as it is written."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def note(connection: Connection, principal: Principal) -> None:
    """Write down that somebody was here; groups and name only if they were here in person."""
    at = now()
    told = {"name": principal.name, "groups": json.dumps(sorted(principal.groups)), "groups_at": at}
    in_person = {} if principal.credential == "token" else told
    changed = connection.execute(
        update(PersonRow)
        .where(*_is((principal.issuer, principal.subject)))
        .values(last_seen=at, **in_person)
    )
    if not changed.rowcount:
        row = {"issuer": principal.issuer, "subject": principal.subject, "suspended_at": None}
        seen = {"first_seen": at, "last_seen": at}
        connection.execute(insert_if_absent(connection, PersonRow).values(**row, **seen, **told))


def suspended(connection: Connection) -> frozenset[Person]:
    """Return who is suspended."""
    query = select(PersonRow.issuer, PersonRow.subject).where(PersonRow.suspended_at.is_not(None))
    return frozenset((issuer, subject) for issuer, subject in connection.execute(query))


def suspend(connection: Connection, person: Person) -> None:
    """Keep a person out from now on, whether they were ever here or not."""
    issuer, subject = person
    row = {"issuer": issuer, "subject": subject, "name": "", "groups": "[]", "suspended_at": None}
    times = {"groups_at": "", "first_seen": "", "last_seen": ""}
    connection.execute(insert_if_absent(connection, PersonRow).values(**row, **times))
    still = PersonRow.suspended_at.is_(None)
    connection.execute(update(PersonRow).where(*_is(person), still).values(suspended_at=now()))


def restore(connection: Connection, person: Person) -> bool:
    """Let a person in again; return whether they were kept out."""
    was = PersonRow.suspended_at.is_not(None)
    changed = connection.execute(
        update(PersonRow).where(*_is(person), was).values(suspended_at=None)
    )
    return bool(changed.rowcount)


def everyone(connection: Connection, subject: str | None = None) -> Sequence[KnownPerson]:
    """Return all persons, or all of one subject, those who were here last first."""
    query = select(
        PersonRow.issuer,
        PersonRow.subject,
        PersonRow.name,
        PersonRow.groups,
        PersonRow.first_seen,
        PersonRow.last_seen,
        PersonRow.suspended_at,
    ).order_by(PersonRow.last_seen.desc(), PersonRow.issuer, PersonRow.subject)
    if subject is not None:
        query = query.where(PersonRow.subject == subject)
    return [
        KnownPerson(issuer, named, name, tuple(json.loads(groups)), first, last, at)
        for issuer, named, name, groups, first, last, at in connection.execute(query)
    ]


def _is(person: Person) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    issuer, subject = person
    return (PersonRow.issuer == issuer, PersonRow.subject == subject)
