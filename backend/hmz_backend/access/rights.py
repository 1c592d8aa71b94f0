"""What somebody may do with a volume or a run: pure rules.

```
NONE < READ < CONTINUE < OWN
```

It is there for its owner, and for those whom the owner has shared it with, as a person or as
members of a group. No role changes that: an admin's work needs nobody's images.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from hmz_backend.identity.protocol import Principal
from napari_hmz.errors import NotAllowed, NotFound
from napari_hmz.schema import Allows

Person = tuple[str, str]
"""Issuer and subject."""


class Right(IntEnum):
    """How far somebody may go; each includes those before it."""

    NONE = 0
    """For them it does not exist."""
    READ = 1
    """See a run, its events and results; see a volume, and use it in runs of one's own."""
    CONTINUE = 2
    """Also steer, stop and resume a run, and send the chunks of a volume."""
    OWN = 3
    """Also remove it, and share it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one share gives, and to whom: a person or a group, never both.

    Parameters
    ----------
    allows
        What is given.
    group
        The canonical text of a group; empty: a person.
    person
        Issuer and subject, both empty for a group.
    """

    allows: Allows
    group: str
    person: Person

    def reaches(self, caller: Principal) -> bool:
        """Return whether it is made for this caller."""
        if self.group:
            return self.group in caller.groups
        return self.person == (caller.issuer, caller.subject)


GIVEN: Mapping[str, Right] = {"read": Right.READ, "continue": Right.CONTINUE}


def right_of(caller: Principal, owner: Person | None, grants: Iterable[Grant]) -> Right:
    """Return how far a caller may go with something; without an owner it does not exist."""
    given = [GIVEN[grant.allows] for grant in grants if grant.reaches(caller)]
    if owner is None:
        return Right.NONE
    if owner == (caller.issuer, caller.subject):
        return Right.OWN
    return max(given, default=Right.NONE)


def check_right(right: Right, needed: Right, thing: str) -> None:
    """Refuse what goes too far.

    Raises
    ------
    NotFound
        If the caller may not even see it: the same words as if it did not exist.
    NotAllowed
        If they see it, and may not do this.
    """
    if right is Right.NONE:
        raise NotFound(f"There is no such {thing}.")
    if right < needed:
        raise NotAllowed(f"The {thing} is shared with you, and not for this.")
