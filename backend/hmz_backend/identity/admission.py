"""Who may come in: known, not suspended, and with a credential that is good for what is asked."""

from dataclasses import dataclass

from hmz_backend.audit.entry import NOBODY, Entry, Who
from hmz_backend.audit.summary import Summary
from hmz_backend.identity.api_token import ApiTokens
from hmz_backend.identity.chain import Chain
from hmz_backend.identity.people import People
from hmz_backend.identity.protocol import Credential, Principal
from napari_hmz.errors import NotSignedIn, ScopeMissing, Suspended
from napari_hmz.schema import Scope

A_NAME = (
    "Sign in (`hmz login`); or make up a name that nobody can guess, and keep it to see your runs"
    " again: HMZ_TOKEN=anonymous_ and 22 random letters or more."
)
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str) -> Scope:
    """Return what a credential must be good for, for a request with this method."""
    return "read" if method in LOOKING else "run"


@dataclass(frozen=True, slots=True)
class Admission:
    """Stands before every route but health.

    Parameters
    ----------
    chain
        Knows callers.
    people
        Knows who is suspended.
    tokens
        Makes tokens, and is part of the chain.
    refused
        Takes note of those who are not let in; not of those who showed nothing.
    """

    chain: Chain
    people: People
    tokens: ApiTokens
    refused: Summary

    async def require(self, credential: Credential, scope: Scope) -> Principal:
        """Return the caller.

        Raises
        ------
        NotSignedIn
            If nobody knows the credential, or it is no good.
        IssuerUnavailable
            If nobody can say now whether it is.
        Suspended
            If the caller is known, and kept out.
        ScopeMissing
            If the credential is for something else.
        """
        who: Who = NOBODY
        try:
            who = principal = await self.chain.require(credential)
            self.people.check(principal)
            _check_scope(principal, scope)
        except (NotSignedIn, Suspended, ScopeMissing) as error:
            if credential.bearer:
                self.refused.note(Entry("request.refused", who, outcome=error.code))
            raise
        await self.people.note(principal)
        return principal


def _check_scope(principal: Principal, scope: Scope) -> None:
    if scope in principal.scopes:
        return
    if principal.credential == "anonymous" and scope == "run":
        raise ScopeMissing("Who has not signed in may look around only.", remedy=A_NAME)
    raise ScopeMissing(f"The credential is not good for this: it lacks the scope {scope}.")
