"""Group memberships as AARC-G069 writes them, read strictly, and written one way only.

```
urn:geant:helmholtz.de:group:Imaging:Pilots:role=manager#login.helmholtz.de
└──── namespace ─────┘       └─── groups ──┘     └ role ┘└── authority ───┘
```

Two texts that mean the same group (percent-encoded or not, of the older namespace `h-df.de`) give
the same canonical text, so that comparing texts is comparing groups. Whoever is in a subgroup, or
has a role there, is also in every group above it; the opposite never holds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote_to_bytes

LONGEST = 2048  # letters: no real entitlement is near it
DEEPEST = 32  # groups within each other
LEGACY = {"urn:geant:h-df.de": "urn:geant:helmholtz.de"}
"""Older namespaces of the same groups."""
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAMESPACE = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,30}[A-Za-z0-9](?::[A-Za-z0-9._~-]+)+")
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_ROLE = "role="


class NotAnEntitlement(ValueError):
    """A text is no group membership of AARC-G069."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One membership: a group within groups, perhaps a role in it, and who says so.

    Parameters
    ----------
    namespace
        Whose groups these are, for example `urn:geant:helmholtz.de`.
    groups
        The names from the outermost group to the innermost, decoded.
    role
        The role within the innermost group, decoded; empty: membership alone.
    authority
        Who vouches for it.
    """

    namespace: str
    groups: tuple[str, ...]
    role: str
    authority: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one entitlement.

        Raises
        ------
        NotAnEntitlement
            If it is not of the form above in every detail.
        """
        if len(text) > LONGEST or not text.isprintable():
            raise NotAnEntitlement("too long, or not printable")
        place, mark, authority = text.partition("#")
        space, _, rest = place.partition(":group:")
        if not mark or not _AUTHORITY.fullmatch(authority):
            raise NotAnEntitlement("no authority")
        if not _NAMESPACE.fullmatch(space):
            raise NotAnEntitlement("no namespace")
        *names, last = rest.split(":")
        role = _decoded(last.removeprefix(_ROLE)) if last.startswith(_ROLE) else ""
        groups = tuple(_decoded(name) for name in (names if role else [*names, last]))
        if not groups or len(groups) > DEEPEST or any(n.startswith(_ROLE) for n in names):
            raise NotAnEntitlement("no group, too many, or a role that is not the last part")
        return cls(_one_namespace(space), groups, role, authority)

    def __str__(self) -> str:
        """Return the canonical text."""
        names = [quote(name, safe="") for name in self.groups]
        role = [_ROLE + quote(self.role, safe="")] if self.role else []
        return f"{':'.join([self.namespace, 'group', *names, *role])}#{self.authority}"

    def implied(self) -> frozenset[str]:
        """Return the canonical texts of this membership and of every one that it includes."""
        above = {
            str(Entitlement(self.namespace, self.groups[:depth], "", self.authority))
            for depth in range(1, len(self.groups) + 1)
        }
        return frozenset(above | {str(self)})


def canonical_group(text: str) -> str:
    """Return the one text of a group, as `Principal.groups` has it; raises NotAnEntitlement."""
    return str(Entitlement.parse(text))


def memberships(texts: Iterable[object], authorities: Iterable[str]) -> frozenset[str]:
    """Return the canonical groups that a list of claims proves, those above them included.

    What is no membership (a capability, another scheme, not even text) is passed over, as is what
    an authority says that is not among `authorities`: otherwise any issuer could make up groups.
    """
    trusted = frozenset(authorities)
    found: set[str] = set()
    for text in texts:
        try:
            entitlement = Entitlement.parse(text) if isinstance(text, str) else None
        except NotAnEntitlement:
            continue
        if entitlement is not None and entitlement.authority in trusted:
            found |= entitlement.implied()
    return frozenset(found)


def _decoded(name: str) -> str:
    """Return a name with its percent-encoding taken off, once."""
    if not name or "?" in name or _ESCAPE.search(name):
        raise NotAnEntitlement("an empty name, or a broken percent-encoding")
    try:
        decoded = unquote_to_bytes(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAnEntitlement("percent-encoding that is not UTF-8") from error
    if not decoded.isprintable():
        raise NotAnEntitlement("a control character")
    return decoded


def _one_namespace(space: str) -> str:
    """Return the namespace as it is compared: `urn` and its registry know no case."""
    _, registry, rest = space.split(":", 2)
    namespace = f"urn:{registry.lower()}:{rest}"
    return LEGACY.get(namespace, namespace)
