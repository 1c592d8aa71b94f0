"""People who bring a token of a JupyterHub: the hub is asked whose it is and what it allows."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from hmz_backend.entitlements import memberships
from hmz_backend.identity.claims import roles_of, subject_of, texts
from hmz_backend.identity.inquiry import Inquiry, can_be_sent
from hmz_backend.identity.issuer import OK, REFUSED_S, REMEMBERED_S
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.identity.recall import Recall
from hmz_backend.identity.signed_token import SignedToken
from hmz_backend.issuers import HubSettings
from napari_hmz.errors import IssuerUnavailable, NotSignedIn
from napari_hmz.schema import Scope

UNKNOWN: Final = frozenset({401, 403})
SCOPES: Final[frozenset[Scope]] = frozenset({"read", "run"})
"""Such a token may be short-lived or taken back: none is made from it that would outlive it."""
Found = tuple[Principal | str | None, float]


@dataclass
class HubTokens:
    """Knows the people of one JupyterHub.

    Parameters
    ----------
    settings
        Of the hub.
    inquiry
        The way to it.
    """

    settings: HubSettings
    inquiry: Inquiry = field(repr=False)
    _known: Recall[Principal | str | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin without any knowledge."""
        self._known = Recall(clock_s=self.inquiry.clock_s, note=self.inquiry.callers.recalled)

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the owner of a token of the hub.

        Raises
        ------
        NotSignedIn
            If it is the hub's, and not allowed what it must be.
        IssuerUnavailable
            If the hub does not answer.
        """
        token = credential.bearer
        if not token or not can_be_sent(token) or SignedToken.read(token) is not None:
            return None
        found = await self._known.get(token, partial(self._ask, token))
        if isinstance(found, str):
            raise NotSignedIn(found)
        return found

    async def _ask(self, token: str) -> Found:
        """Return the owner or why there is none, and for how long that may be remembered."""
        url = f"{self.settings.url}/user"
        answer = await self.inquiry.get(url, SecretStr(f"token {token}"))
        if answer.status in UNKNOWN:
            return None, REFUSED_S
        if answer.status != OK:
            raise IssuerUnavailable(f"{self.settings.url} answers with {answer.status}.")
        if answer.body.get("kind", "user") != "user":
            return "The token is a service's, not a person's.", REFUSED_S
        if not self._allows(texts(answer.body.get("scopes"))):
            return f"The hub's token lacks the scope {self.settings.scope}.", REFUSED_S
        return self._owner(answer.body), REMEMBERED_S

    def _allows(self, scopes: list[str]) -> bool:
        """Return whether the scope is there, or the one without its filter, which is more."""
        return bool({self.settings.scope, self.settings.scope.partition("!")[0]} & set(scopes))

    def _owner(self, told: Any) -> Principal:  # noqa: ANN401 # JSON
        subject = subject_of({"sub": told.get("name")})
        named = texts(told.get("groups"))
        groups = memberships(named, self.settings.authorities) | frozenset(map(self._own, named))
        return Principal(
            issuer=self.settings.url,
            subject=subject,
            groups=groups,
            roles=roles_of(subject, groups, self.settings.roles),
            scopes=SCOPES,
            name=subject,
            credential="hub",
        )

    def _own(self, group: str) -> str:
        """Return the text of a group that the hub itself vouches for, whatever its name is."""
        return f"urn:jupyterhub:hub:group:{quote(group, safe='')}#{self._host}"

    @property
    def _host(self) -> str:
        return urlsplit(self.settings.url).netloc
