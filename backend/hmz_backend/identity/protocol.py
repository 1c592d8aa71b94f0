"""The identity seam: who is asking, for one kind of credential."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """A known caller: issuer and subject together, so that two issuers cannot share a name."""

    issuer: str
    subject: str
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset({"user"})


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
        """
