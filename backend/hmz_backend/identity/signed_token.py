"""Signed tokens (JWT): read without trust first, then checked with the issuer's own keys."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from napari_hmz.errors import NotSignedIn

ALGORITHMS: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "Ed25519": "OKP",
}
"""What is accepted, and the kind of key of each: never `none`, never a shared secret (HMAC)."""
TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
LONGEST: Final = 128_000  # letters: room for a thousand groups
LEAST_RSA_LETTERS: Final = 342  # of a modulus with 2048 bits, in base64
MOST_KEYS: Final = 64

PublicKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token that looks signed; nothing of it may be believed before `checked`.

    Parameters
    ----------
    text
        The whole token.
    header, claims
        What it says.
    """

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the token; none if the text is no signed token at all."""
        parts = text.split(".")
        if len(parts) != 3 or len(text) > LONGEST:  # noqa: PLR2004 # header, claims, signature
            return None
        header, claims = _object(parts[0]), _object(parts[1])
        return None if header is None or claims is None else cls(text, header, claims)

    @property
    def issuer(self) -> str:
        """Whom it says to be from, without the slash at the end."""
        return str(self.claims.get("iss", "")).removesuffix("/")

    @property
    def key_id(self) -> str | None:
        """Which key it says to be signed by."""
        found = self.header.get("kid")
        return found if isinstance(found, str) else None

    def checked(self, keys: Sequence[PublicKey]) -> Mapping[str, Any]:
        """Return the claims if one of the keys has signed them.

        Raises
        ------
        NotSignedIn
            If none has, or the token is of a kind that is not accepted.
        """
        algorithm = self.algorithm()
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        registry.max_payload_length = LONGEST
        registry.max_header_length = 4096
        for key in self.suitable(keys):
            try:
                jws.deserialize_compact(self.text, key, registry=registry)
            except (JoseError, ValueError):
                continue
            return self.claims
        raise NotSignedIn("The token is not signed by its issuer.")

    def algorithm(self) -> str:
        """Return by what it says to be signed, or raise NotSignedIn."""
        algorithm = self.header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise NotSignedIn("The token is signed in a way that is not accepted.")
        kind = str(self.header.get("typ", "")).lower()
        if kind not in TYPES or "crit" in self.header:
            raise NotSignedIn("The token is of a type that is not accepted.")
        return algorithm

    def suitable(self, keys: Sequence[PublicKey]) -> list[PublicKey]:
        """Return the keys that may have signed it."""
        algorithm, kid = self.algorithm(), self.key_id
        return [
            key
            for key in keys
            if key.key_type == ALGORITHMS[algorithm]
            and key.get("alg") in (None, algorithm)
            and (kid is None or key.get("kid") == kid)
        ]


def public_keys(document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """Return the keys of a JWKS that may check signatures; others are passed over.

    Only what stands in the document counts: no address in it is followed, and a shared secret
    in it is no key.
    """
    listed = document.get("keys")
    found = (_public_key(key) for key in (listed if isinstance(listed, list) else [])[:MOST_KEYS])
    return tuple(key for key in found if key is not None)


def _public_key(document: object) -> PublicKey | None:
    if not isinstance(document, dict) or document.get("use", "sig") != "sig":
        return None
    if document.get("kty") == "RSA" and len(str(document.get("n"))) < LEAST_RSA_LETTERS:
        return None
    try:
        key = JWKRegistry.import_key(document)
    except (JoseError, ValueError, TypeError, KeyError):  # a kind of key that is not known here
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) and not key.is_private else None


def _object(part: str) -> Mapping[str, Any] | None:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
