"""What is written down of one act: no secrets, no names of people, no content of images."""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from hmz_backend.request_id import current_request

What = Literal[
    "request.refused",
    "token.created",
    "token.revoked",
    "person.suspended",
    "person.restored",
    "person.identified",
    "people.listed",
    "usage.listed",
    "usage.folded",
    "records.read",
    "volume.created",
    "volume.removed",
    "volume.shared",
    "volume.unshared",
    "run.submitted",
    "run.cancelled",
    "run.resumed",
    "run.ended",
    "run.removed",
    "run.shared",
    "run.unshared",
    "model.inferred",
    "model.deployed",
    "tables.upgraded",
    "backend.started",
    "backend.stopped",
    "records.removed",
]
"""Every kind of act; `docs/explanation/accounts.md` says what each holds."""
OK: Final = "ok"
Detail = str | int | bool


class Who(Protocol):
    """Somebody who acts; a principal is one."""

    @property
    def issuer(self) -> str:
        """Who answers for the person."""

    @property
    def subject(self) -> str:
        """The person, as the issuer calls them."""

    @property
    def credential(self) -> str:
        """The kind of credential that was shown."""


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody who has not made a request now."""

    issuer: str = ""
    subject: str = ""
    credential: str = ""


NOBODY: Final = Named()
BACKEND: Final = Named(credential="backend")
"""The backend itself acts."""


def operator() -> Named:
    """Return who has called a command on the backend's machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        name = ""
    return Named(subject=name, credential="command")


@dataclass(frozen=True, slots=True)
class Entry:
    """One act.

    Parameters
    ----------
    what, who
        The kind of act, and who acted.
    thing
        Id of the volume, run, token or person that it is about.
    model, version
        Which model it was about.
    data
        Fingerprint of the image.
    outcome
        `ok`, or the code of the error.
    request
        Id of the request: a proxy's log may know more of it.
    more
        What else belongs to this kind of act.
    """

    what: What
    who: Who
    thing: str = ""
    model: str = ""
    version: str = ""
    data: str = ""
    outcome: str = OK
    request: str = field(default_factory=current_request)
    more: Mapping[str, Detail] = field(default_factory=dict)

    def document(self) -> dict[str, Detail | dict[str, Detail]]:
        """Return what is said, by name; what is empty is left out."""
        said: dict[str, Detail | dict[str, Detail]] = {
            "what": self.what,
            "issuer": self.who.issuer,
            "subject": self.who.subject,
            "credential": self.who.credential,
            "thing": self.thing,
            "model": self.model,
            "version": self.version,
            "data": self.data,
            "outcome": self.outcome,
            "request": self.request,
            "more": dict(self.more),
        }
        return {name: value for name, value in said.items() if value not in ("", {})}
