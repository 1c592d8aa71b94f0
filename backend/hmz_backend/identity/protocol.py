"""The identity seam: who is asking, for one kind of credential."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from napari_hmz.schema import CredentialKind, Scope

SIGNED_IN: Final[frozenset[Scope]] = frozenset({"read", "run", "tokens"})
"""What someone may do who is here in person, not by a token made for less."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A known caller: issuer and subject together, so that two issuers cannot share a name.

    Parameters
    ----------
    issuer, subject
        Who it is, always the same.
    groups
        Canonical AARC-G069 texts (`entitlements.canonical_group`), those above a group included:
        a rule holds if its text is among them.
    roles
        Any of user, contributor, reviewer, admin; none: anonymous.
    scopes
        What the credential at hand is good for.
    name
        As people call them; it identifies nobody.
    credential
        The kind of credential that was shown.
    """

    issuer: str
    subject: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset({"user"})
    scopes: frozenset[Scope] = SIGNED_IN
    name: str = field(default="", compare=False)
    credential: CredentialKind = field(default="shared", compare=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brought along: the bearer token, if any; never shown."""

    bearer: str | None = None

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"Credential({'bearer' if self.bearer else 'none'})"


class Identity(Protocol):
    """Answers for one kind of credential; several stand in a chain, the first match wins."""

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the caller; none means "not my kind, ask the next".

        Raises
        ------
        NotSignedIn
            If the credential is of this kind, and not good.
        IssuerUnavailable
            If nobody can say now whether it is.
        """
