"""`hmz-backend users`: who was here, and who must not come any more."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from hmz_backend.audit.entry import Entry, What, operator
from hmz_backend.audit.trail import append
from hmz_backend.cli.database_work import Config, in_database
from hmz_backend.identity import person_records
from hmz_backend.identity.person_records import KnownPerson, Person
from hmz_backend.settings import load_settings
from hmz_backend.watch.pseudonyms import Pseudonyms, kept_key
from napari_hmz.cli.tables import show_table
from napari_hmz.errors import NotFound, RequestError

users = typer.Typer(no_args_is_help=True, help="Who was here, and who must not come any more.")

Subject = Annotated[str, typer.Argument(help="The person, as `users list` names them.")]
Issuer = Annotated[
    str | None,
    typer.Option(help="Whose person it is; needed if several issuers have one of that name."),
]


@users.command("list")
def list_users(config: Config = None) -> None:
    """List everyone who was here, those who came last first, and everyone who is suspended."""
    table = Table(box=None)
    for name in ("subject", "name", "issuer", "first seen", "last seen", "suspended", "groups"):
        table.add_column(name, no_wrap=name in ("subject", "issuer"))

    def work(connection: Connection) -> Sequence[KnownPerson]:
        append(connection, Entry("people.listed", operator()))
        return person_records.everyone(connection)

    for one in in_database(config, work):
        times = (one.first_seen, one.last_seen, one.suspended_at or "")
        texts = (escape(one.subject), escape(one.name), escape(one.issuer))
        table.add_row(*texts, *times, str(len(one.groups)))
    show_table(table, otherwise="Nobody was here yet.")


@users.command("find")
def find_user(
    pseudonym: Annotated[str, typer.Argument(help="As the log has it: `person`.")],
    config: Config = None,
) -> None:
    """Say who a person of the log is, as long as the key of `data_dir` is there."""
    made = Pseudonyms(kept_key(load_settings(config).data_dir))

    def work(connection: Connection) -> KnownPerson | None:
        everyone = person_records.everyone(connection)
        found = next((x for x in everyone if made.of(x.issuer, x.subject) == pseudonym), None)
        if found is not None:
            _record(connection, "person.identified", (found.issuer, found.subject))
        return found

    one = in_database(config, work)
    if one is None:
        raise NotFound(
            f"Nobody who was here is called {pseudonym} in the log.",
            remedy="Another `data_dir` has another key, and so other pseudonyms.",
        )
    typer.echo(f"{one.subject} of {one.issuer} {one.name}".rstrip())


@users.command()
def suspend(subject: Subject, issuer: Issuer = None, config: Config = None) -> None:
    """Keep a person out at once: requests are refused, open streams end, tokens stop working.

    Runs that they have started go on. With --issuer, someone who was never here can be named.
    """

    def work(connection: Connection) -> Person:
        person = _named(connection, subject, issuer, may_be_new=True)
        person_records.suspend(connection, person)
        _record(connection, "person.suspended", person)
        return person

    typer.echo("Suspended: {1} of {0}.".format(*in_database(config, work)))


@users.command()
def restore(subject: Subject, issuer: Issuer = None, config: Config = None) -> None:
    """Let a person in again."""

    def work(connection: Connection) -> Person:
        person = _named(connection, subject, issuer)
        if not person_records.restore(connection, person):
            raise RequestError(f"{person[1]} of {person[0]} is not suspended.")
        _record(connection, "person.restored", person)
        return person

    typer.echo("Restored: {1} of {0}.".format(*in_database(config, work)))


def _named(
    connection: Connection, subject: str, issuer: str | None, *, may_be_new: bool = False
) -> Person:
    """Return the one person that is meant."""
    if issuer is not None and may_be_new:
        return issuer.removesuffix("/"), subject
    found = [one for one in person_records.everyone(connection, subject) if _is_of(one, issuer)]
    if not found:
        raise NotFound(
            f"Nobody called {subject} was here.", remedy="`hmz-backend users list` names them."
        )
    if len(found) > 1:
        issuers = ", ".join(one.issuer for one in found)
        raise RequestError(
            f"Several issuers have a {subject}: {issuers}.", remedy="Name one (--issuer)."
        )
    return found[0].issuer, found[0].subject


def _record(connection: Connection, what: What, person: Person) -> None:
    """Keep who has done this in the audit trail."""
    issuer, subject = person
    append(connection, Entry(what, operator(), thing=subject, more={"issuer": issuer}))


def _is_of(one: KnownPerson, issuer: str | None) -> bool:
    return issuer is None or one.issuer == issuer.removesuffix("/")
