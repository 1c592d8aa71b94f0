"""People who have signed in at an OpenID Connect issuer: their access tokens, signed or opaque.

```
signed?  yes ─ of this issuer? ─ `keys`: signature by its JWKS, then the claims
         no, or no `keys`      ─ `introspection`: the issuer says whether it is good, and for whom
both ─ `userinfo`: groups as they are now
```

What was found is remembered by the token's hash, for less than the token lasts.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pydantic import SecretStr

from hmz_backend.identity.claims import (
    GROUPS,
    NAMES,
    Claims,
    check_audience,
    check_bearer,
    check_claims,
    check_now,
    principal_of,
    seconds,
    subject_of,
)
from hmz_backend.identity.inquiry import Inquiry, can_be_sent
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.identity.recall import KeptDocument, Recall
from hmz_backend.identity.signed_token import PublicKey, SignedToken, public_keys
from hmz_backend.issuers import IssuerSettings, secure_url
from napari_hmz.errors import IssuerUnavailable, NotSignedIn

Found = tuple[Principal | str | None, float]
"""The owner of a token, or why it is not accepted, or none; and for how many seconds that holds."""
REMEMBERED_S: Final = 60.0  # the longest that a token counts after the issuer has taken it back
REFUSED_S: Final = 10.0  # for which a token that the issuer does not know is not asked about again
OK: Final = 200
OUR_FAULT: Final = frozenset({401, 403})  # of an answer about a token: this backend is not known


@dataclass
class IssuerTokens:
    """Knows the people of one issuer.

    Parameters
    ----------
    settings
        Of the issuer.
    inquiry
        The way to it.
    now_s
        Tells seconds since 1970.
    """

    settings: IssuerSettings
    inquiry: Inquiry = field(repr=False)
    now_s: Callable[[], float] = field(default=time.time, repr=False)
    _known: Recall[Principal | str | None] = field(init=False, repr=False)
    _metadata: KeptDocument[Claims] = field(init=False, repr=False)
    _keys: KeptDocument[tuple[PublicKey, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Begin without any knowledge: nothing is asked before somebody calls."""
        self._known = Recall(clock_s=self.inquiry.clock_s, note=self.inquiry.callers.recalled)
        self._metadata = KeptDocument(self._fetch_metadata, self.inquiry.clock_s)
        self._keys = KeptDocument(self._fetch_keys, self.inquiry.clock_s)

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the owner of an access token of this issuer.

        Raises
        ------
        NotSignedIn
            If it is of this issuer, and not good.
        IssuerUnavailable
            If the issuer had to be asked, and does not answer.
        """
        token = credential.bearer
        if not token or not can_be_sent(token):
            return None
        signed = SignedToken.read(token)
        if signed is not None and signed.issuer != self.settings.url:
            return None
        if signed is None and self.settings.check == ("keys",):
            return None
        found = await self._known.get(token, partial(self._ask, token, signed))
        if isinstance(found, str):
            raise NotSignedIn(found)
        return found

    async def _ask(self, token: str, signed: SignedToken | None) -> Found:
        """Return the owner or why there is none, and for how long that may be remembered."""
        if signed is not None and "keys" in self.settings.check:
            claims = await self._checked(signed)
        else:
            try:
                asked = await self._asked(token)
            except NotSignedIn as error:  # remembered, so that the issuer is left alone
                return error.detail, REFUSED_S
            if asked is None:
                return None, REFUSED_S
            claims = asked
        if "userinfo" in self.settings.check:
            claims = await self._with_userinfo(token, claims)
        left_s = seconds(claims, "exp", self.now_s() + REMEMBERED_S) - self.now_s()
        return principal_of(claims, self.settings), min(REMEMBERED_S, max(0.0, left_s))

    async def _asked(self, token: str) -> Claims | None:
        """Return what the issuer says of a token; none if it does not know it."""
        claims = None
        if "introspection" in self.settings.check:
            claims = await self._introspected(token)
        elif self.settings.check == ("userinfo",):
            claims = await self._userinfo(token)
        if claims is not None:
            subject_of(claims)
        return claims

    async def _checked(self, signed: SignedToken) -> Claims:
        signed.algorithm()  # what is not acceptable anyway must not make us ask for keys
        keys = await self._keys.get()
        if not signed.suitable(keys):
            keys = await self._keys.newer()
        claims = signed.checked(keys)
        check_claims(claims, self.settings, self.now_s())
        return claims

    async def _introspected(self, token: str) -> Claims | None:
        url = await self._endpoint("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        secret = self.settings.secret().get_secret_value()
        answer = await self.inquiry.post(url, form, self.settings.client_id, secret)
        if answer.status in OUR_FAULT:  # no caller can mend that
            raise IssuerUnavailable(f"{self.settings.url} refuses to say what tokens are worth.")
        claims = answer.body
        if claims.get("active") is not True:
            return None
        if str(claims.get("iss", self.settings.url)).removesuffix("/") != self.settings.url:
            raise NotSignedIn("The token is of another issuer.")
        check_bearer(claims)
        check_audience(claims, self.settings)
        expires_s = seconds(claims, "exp", math.inf)
        check_now(expires_s, 0.0, self.settings.leeway_s, self.now_s())
        return claims

    async def _with_userinfo(self, token: str, claims: Claims) -> Claims:
        """Return claims with groups and names as they are now."""
        told = await self._userinfo(token)
        if told is None or told.get("sub") != subject_of(claims):
            raise NotSignedIn("The token's issuer does not say whose it is.")
        return {**claims, **{name: told[name] for name in (*GROUPS, *NAMES) if name in told}}

    async def _userinfo(self, token: str) -> Claims | None:
        url = await self._endpoint("userinfo_endpoint")
        answer = await self.inquiry.get(url, SecretStr(f"Bearer {token}"))
        return answer.body if answer.status == OK else None

    async def _endpoint(self, name: str) -> str:
        metadata = await self._metadata.get()
        try:
            return secure_url(str(metadata.get(name)))
        except ValueError as error:
            raise IssuerUnavailable(f"{self.settings.url} has no {name} of use.") from error

    async def _fetch_metadata(self) -> Claims:
        answer = await self.inquiry.get(f"{self.settings.url}/.well-known/openid-configuration")
        if str(answer.body.get("issuer", "")).removesuffix("/") != self.settings.url:
            raise IssuerUnavailable(f"{self.settings.url} does not describe itself.")
        return answer.body

    async def _fetch_keys(self) -> tuple[PublicKey, ...]:
        answer = await self.inquiry.get(await self._endpoint("jwks_uri"))
        keys = public_keys(answer.body)
        if not keys:
            raise IssuerUnavailable(f"{self.settings.url} shows no keys of use.")
        return keys
