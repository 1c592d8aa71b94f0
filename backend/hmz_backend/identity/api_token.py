"""Tokens that people make for their scripts: shown once, kept as a hash, taken back at any time.

`hmz_<id>_<secret>`: the id finds the row, the secret opens it. The secret has 256 random bits, so
SHA-256 keeps it as safe as a slow hash would; that one is for passwords, which can be guessed.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Row

from hmz_backend.audit.entry import Entry, What
from hmz_backend.audit.trail import recording
from hmz_backend.database.access import Database
from hmz_backend.identity import token_records
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.identity.recall import Recall
from napari_hmz.errors import NotFound, NotSignedIn, RequestError
from napari_hmz.schema import ApiToken, NewToken, TokenRequest

REMEMBERED_S: Final = 1.0  # for which another process may take one back unnoticed
USED_S: Final = 300.0  # between two notes of its use
MOST_TOKENS: Final = 100  # of one person
_TOKEN = re.compile(r"hmz_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass
class ApiTokens:
    """Knows the tokens that were made here, makes them, and takes them back.

    Parameters
    ----------
    database
        Where they are kept.
    life_days
        How long one may last.
    groups_days
        How long it has its owner's groups after the owner was last here in person.
    now
        Tells the time.
    """

    database: Database
    life_days: int
    groups_days: int
    now: Callable[[], datetime] = utc_now
    _known: Recall[Principal | str] = field(default_factory=Recall, repr=False)

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the owner, with no role but user and no more than the token's scopes.

        Raises
        ------
        NotSignedIn
            If it is a token of this kind, and not one that is good.
        """
        found = _TOKEN.fullmatch(credential.bearer or "")
        if found is None:
            return None
        known = await self._known.get(found[0], partial(self._ask, *found.groups()))
        if isinstance(known, str):
            raise NotSignedIn(known, remedy="Make a new one (`hmz tokens create`).")
        return known

    async def create(self, owner: Principal, request: TokenRequest) -> NewToken:
        """Make a token; this is the only time that it is told.

        Raises
        ------
        RequestError
            If it is to last longer than the admin allows, or the owner has too many.
        """
        if request.days > self.life_days:
            raise RequestError(f"A token may last {self.life_days} days here, not {request.days}.")
        at = self.now()
        if len(await self.listing(owner)) >= MOST_TOKENS:
            raise RequestError(
                f"You have {MOST_TOKENS} tokens.", remedy="Revoke some (`hmz tokens revoke`)."
            )
        secret = secrets.token_urlsafe(32)
        made = ApiToken(
            id=secrets.token_hex(8),
            name=request.name,
            scopes=tuple(sorted(set(request.scopes))),
            created_at=at.isoformat(timespec="seconds"),
            expires_at=(at + timedelta(days=request.days)).isoformat(timespec="seconds"),
        )
        await self.database.write(
            lambda c: token_records.add(c, owner, made, _digest(secret), at.isoformat()),
            last=recording(_act("token.created", owner, made)),
        )
        return NewToken(**made.model_dump(), token=f"hmz_{made.id}_{secret}")

    async def listing(self, owner: Principal) -> list[ApiToken]:
        """Return the tokens of somebody that are good, the newest first."""
        at = self.now().isoformat()
        return await self.database.read(lambda c: token_records.listing(c, owner, at))

    async def revoke(self, owner: Principal, token: str) -> None:
        """Take a token back, at once; raises NotFound if the owner has none of that id."""
        found = next((one for one in await self.listing(owner) if one.id == token), None)
        if found is None:
            raise NotFound("You have no such token.", remedy="`hmz tokens list` names them.")
        await self.database.write(
            lambda c: token_records.remove(c, owner, token),
            last=recording(_act("token.revoked", owner, found)),
        )
        self._known.forget()

    async def _ask(self, token: str, secret: str) -> tuple[Principal | str, float]:
        row = await self.database.read(lambda c: token_records.find(c, token))
        if row is None or not hmac.compare_digest(row.digest, _digest(secret)):
            return "The token is unknown, or was revoked.", REMEMBERED_S
        at = self.now()
        if datetime.fromisoformat(row.expires_at) <= at:
            return "The token has expired.", REMEMBERED_S
        if row.used_at is None or _age_s(row.used_at, at) > USED_S:
            await self.database.write(lambda c: token_records.used(c, token, at.isoformat()))
        return self._owner(row, at), REMEMBERED_S

    def _owner(self, row: Row[Any], at: datetime) -> Principal:
        fresh = _age_s(row.groups_at, at) < self.groups_days * 86400
        return Principal(
            issuer=row.issuer,
            subject=row.subject,
            groups=frozenset(json.loads(row.groups)) if fresh else frozenset(),
            scopes=frozenset(json.loads(row.scopes)),
            name=row.owner_name,
            credential="token",
        )


def _act(what: What, owner: Principal, token: ApiToken) -> Entry:
    """Return what the audit trail is told of a token: neither the token nor its owner's words."""
    more = {"scopes": " ".join(token.scopes), "expires_at": token.expires_at}
    return Entry(what, owner, thing=token.id, more=more)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _age_s(written: str, at: datetime) -> float:
    return (at - datetime.fromisoformat(written)).total_seconds()
