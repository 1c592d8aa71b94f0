"""What an issuer says of a token and its owner, judged by what the admin has set."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hmz_backend.entitlements import memberships
from hmz_backend.identity.protocol import Principal
from hmz_backend.issuers import IssuerSettings, Role, RoleRule
from napari_hmz.errors import NotSignedIn

Claims = Mapping[str, Any]
GROUPS: Final = ("entitlements", "eduperson_entitlement")
NAMES: Final = ("preferred_username", "name")
NOT_FOR_ACCESS: Final = ("at_hash", "c_hash", "events", "cnf")
"""Claims of ID tokens, logout tokens, and tokens that are worth nothing without a key."""
FOR_ACCESS: Final = ("client_id", "scope", "scp")
"""Claims of access tokens, which ID tokens lack; whose audience may be the same client."""
OTHER_TYPES: Final = frozenset({"id", "refresh", "offline", "logout", "refresh_token"})
LONGEST: Final = 255  # letters of a subject, as OpenID Connect allows


def check_claims(claims: Claims, settings: IssuerSettings, now_s: float) -> None:
    """Accept the claims of a signed token.

    Parameters
    ----------
    claims
        Checked for the signature already.
    settings
        Of the issuer.
    now_s
        Seconds since 1970.

    Raises
    ------
    NotSignedIn
        If the token is too old or too new, for somebody else, or no access token.
    """
    expires_s, issued_s = seconds(claims, "exp"), seconds(claims, "iat")
    begins_s = seconds(claims, "nbf", issued_s)
    check_now(expires_s, max(issued_s, begins_s), settings.leeway_s, now_s)
    check_kind(claims)
    if not any(name in claims for name in FOR_ACCESS):
        raise NotSignedIn("The token is no access token.")
    check_audience(claims, settings)
    subject_of(claims)


def check_now(expires_s: float, begins_s: float, leeway_s: float, now_s: float) -> None:
    """Raise NotSignedIn unless a token is of use now."""
    if now_s >= expires_s + leeway_s:
        raise NotSignedIn("The token has expired.")
    if begins_s > now_s + leeway_s:
        raise NotSignedIn("The token is from the future: a clock is wrong.")


def check_kind(claims: Claims) -> None:
    """Raise NotSignedIn for what an issuer makes beside access tokens."""
    kinds = {str(claims.get(name, "")).lower() for name in ("typ", "token_type", "token_use")}
    if kinds & OTHER_TYPES or any(name in claims for name in NOT_FOR_ACCESS):
        raise NotSignedIn("The token is no access token.")


def check_bearer(claims: Claims) -> None:
    """Raise NotSignedIn unless an introspected token is said to be for access.

    A refresh token is just as active, and lives for months: some issuers tell it from an access
    token only by saying nothing.
    """
    check_kind(claims)
    if "bearer" not in {str(claims.get(name, "")).lower() for name in ("token_type", "typ")}:
        raise NotSignedIn("The token is no access token.")


def check_audience(claims: Claims, settings: IssuerSettings) -> None:
    """Raise NotSignedIn unless a token was made for this backend, and for a client of ours."""
    named = claims.get("aud")
    audience = set(texts([named] if isinstance(named, str) else named))
    clients = set(texts([claims.get("client_id"), claims.get("azp")]))
    wrong_audience = settings.audiences and not audience & set(settings.audiences)
    wrong_client = settings.clients and not clients & set(settings.clients)
    if wrong_audience or wrong_client:
        raise NotSignedIn("The token was made for another service.")


def subject_of(claims: Claims) -> str:
    """Return whom the claims are about, or raise NotSignedIn."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST or not subject.isprintable():
        raise NotSignedIn("The token does not say whose it is.")
    return subject


def principal_of(claims: Claims, settings: IssuerSettings) -> Principal:
    """Return the person whom accepted claims are about; raises NotSignedIn if they name none."""
    subject = subject_of(claims)
    told = [text for name in GROUPS for text in texts(claims.get(name))]
    groups = memberships(told, settings.authorities)
    return Principal(
        issuer=settings.url,
        subject=subject,
        groups=groups,
        roles=roles_of(subject, groups, settings.roles),
        name=next(iter(texts([claims.get(name) for name in NAMES])), "")[:LONGEST],
        credential="issuer",
    )


def roles_of(
    subject: str, groups: frozenset[str], rules: Mapping[Role, RoleRule]
) -> frozenset[str]:
    """Return the roles of someone who has signed in: user, and what the rules add."""
    more = {
        role
        for role, rule in rules.items()
        if subject in rule.subjects or not groups.isdisjoint(rule.groups)
    }
    return frozenset({"user"} | more)


def texts(values: object) -> list[str]:
    """Return the texts of a claim that is one or has many."""
    if isinstance(values, str):
        return [values]
    listed: Iterable[object] = values if isinstance(values, list | tuple) else ()
    return [value for value in listed if isinstance(value, str) and value]


def seconds(claims: Claims, name: str, otherwise: float | None = None) -> float:
    """Return a time since 1970; raises NotSignedIn if it is none, or missing where it must be."""
    value = claims.get(name, otherwise)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or math.isnan(value):
        raise NotSignedIn(f"The token does not say when it is good: its {name} is no time.")
    return float(value)
