"""An OpenID Connect issuer on paper: keys and documents of a test's own, and a clock it can set."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, OctKey, OKPKey, RSAKey
from pydantic import SecretStr

from hmz_backend.identity.inquiry import Answer, Inquiry
from napari_hmz.errors import IssuerUnavailable

URL = "https://login.example.de/oauth2"
GROUP = "urn:geant:helmholtz.de:group:Imaging:Pilots#login.example.de"
NOW_S = 1_800_000_000.0
Key = RSAKey | ECKey | OKPKey | OctKey


@dataclass
class Hands:
    """Two clocks that move together when a test says so."""

    passed_s: float = 0.0

    def steady_s(self) -> float:
        """Return seconds that only go on."""
        return 1000.0 + self.passed_s

    def now_s(self) -> float:
        """Return seconds since 1970."""
        return NOW_S + self.passed_s


class PaperInquiry(Inquiry):
    """Answers from a table of documents, and counts what is asked."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        super().__init__(clock_s)
        self.documents: dict[str, Mapping[str, Any] | int] = {}
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.is_down = False

    async def get(self, url: str, authorization: SecretStr | None = None) -> Answer:
        """Answer with a document."""
        self.shown.append(authorization.get_secret_value() if authorization else "")
        return await self._answer(url)

    async def post(self, url: str, form: Mapping[str, str], user: str, password: str) -> Answer:
        """Answer with a document."""
        self.shown.append(form["token"] if user and password else "")
        return await self._answer(url)

    async def _answer(self, url: str) -> Answer:
        self.asked.append(url)
        await asyncio.sleep(0)  # as a real question, it lets others go on
        if self.is_down:
            raise IssuerUnavailable("It is down.")
        found = self.documents.get(url, 404)
        return Answer(found, {}) if isinstance(found, int) else Answer(200, found)


@dataclass
class PaperIssuer:
    """Issues tokens, and has the documents that belong to them."""

    hands: Hands = field(default_factory=Hands)
    key: Key = field(default_factory=lambda: new_key("RSA"))

    def __post_init__(self) -> None:
        """Lay out the documents."""
        self.inquiry = PaperInquiry(self.hands.steady_s)
        names = ("jwks_uri", "introspection_endpoint", "userinfo_endpoint")
        self.inquiry.documents[f"{URL}/.well-known/openid-configuration"] = {
            "issuer": URL,
            **{name: f"{URL}/{name}" for name in names},
        }
        self.show_keys(self.key)

    def show_keys(self, *keys: Key) -> None:
        """Let the JWKS have these keys."""
        documents = [key.as_dict(private=isinstance(key, OctKey)) for key in keys]
        self.inquiry.documents[f"{URL}/jwks_uri"] = {"keys": documents}

    def introspects(self, **said: object) -> None:
        """Say this of any token, which is one for access if nothing else is said."""
        told = {"token_type": "Bearer", **said}
        self.inquiry.documents[f"{URL}/introspection_endpoint"] = told

    def claims(self, **changes: object) -> dict[str, object]:
        """Return good claims, changed; None takes one out."""
        now_s = int(self.hands.now_s())
        good: dict[str, object] = {
            "iss": URL,
            "sub": "ann",
            "aud": "hmz",
            "client_id": "desktop",
            "iat": now_s,
            "exp": now_s + 3600,
            "entitlements": [GROUP],
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, claims: Mapping[str, object], key: Key | None = None, **header: object) -> str:
        """Return signed claims; the header says which algorithm, RS256 if nothing."""
        key = key or self.key
        protected = {"alg": "RS256", "kid": key.kid, "typ": "at+jwt", **header}
        protected = {name: value for name, value in protected.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[str(protected["alg"])], strict_check_header=False)
        return jws.serialize_compact(protected, json.dumps(claims), key, registry=registry)


def new_key(kind: str = "RSA", alg: str = "") -> Key:
    """Return a key with an id, for one algorithm if it is named."""
    use: KeyParameters = {"use": "sig", "alg": alg} if alg else {"use": "sig"}
    if kind == "RSA":
        return RSAKey.generate_key(2048, use, auto_kid=True)
    if kind == "EC":
        return ECKey.generate_key("P-256", use, auto_kid=True)
    if kind == "oct":
        return OctKey.generate_key(256, use, auto_kid=True)
    return OKPKey.generate_key("Ed25519", use, auto_kid=True)


def unsigned(claims: Mapping[str, object], **header: object) -> str:
    """Return claims that nobody has signed."""
    parts = [json.dumps({"alg": "none", **header}).encode(), json.dumps(claims).encode()]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
