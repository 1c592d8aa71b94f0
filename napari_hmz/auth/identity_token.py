"""The ID token: proof that an issuer has just signed this person in, for this client."""

from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from napari_hmz.auth.issuer import Endpoints, fetch, same_issuer
from napari_hmz.errors import SignInFailed

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LEEWAY_S = 120
_NAMES = ("preferred_username", "name", "email", "sub")


def person_of(token: str, endpoints: Endpoints, client_id: str, nonce: str | None) -> str:
    """Check an ID token, and return what the person is called.

    Parameters
    ----------
    nonce
        That of the request; None where the flow has none.

    Raises
    ------
    SignInFailed
        If it is not signed by the issuer, not for this client, over, or not of this request.
    """
    try:
        keys = KeySet.import_key_set(fetch(endpoints.keys))  # type: ignore[arg-type] # is checked there
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(leeway=_LEEWAY_S, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        kind = type(error).__name__
        raise SignInFailed(f"The issuer's ID token cannot be trusted: {kind}.") from None
    _check(claims, endpoints.issuer, client_id, nonce)
    return next(str(claims[name]) for name in _NAMES if claims.get(name))


def _check(claims: dict[str, Any], issuer: str, client_id: str, nonce: str | None) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    wrong = [
        name
        for name, right in (
            ("issuer", same_issuer(str(claims.get("iss")), issuer)),
            ("audience", client_id in audiences and claims.get("azp", client_id) == client_id),
            ("nonce", nonce is None or claims.get("nonce") == nonce),
            ("subject", bool(claims.get("sub"))),
        )
        if not right
    ]
    if wrong:
        raise SignInFailed(f"The issuer's ID token is not for this sign-in: {', '.join(wrong)}.")
