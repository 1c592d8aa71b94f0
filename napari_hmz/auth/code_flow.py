"""Signing in through a browser: authorisation code with PKCE (RFC 8252, RFC 7636)."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from napari_hmz.auth.granted import Granted, granted
from napari_hmz.auth.identity_token import person_of
from napari_hmz.auth.issuer import Endpoints, Refused, same_issuer, send
from napari_hmz.auth.loopback import Loopback
from napari_hmz.errors import HmzError, SignInFailed
from napari_hmz.schema import SignInIssuer

PATIENCE_S = 300.0
"""How long a person may take."""


@dataclass(frozen=True, slots=True)
class _Proof:
    """What ties the browser, the code and the ID token to this one sign-in."""

    state: str = field(default_factory=partial(secrets.token_urlsafe, 48), repr=False)
    nonce: str = field(default_factory=partial(secrets.token_urlsafe, 48), repr=False)
    verifier: str = field(default_factory=partial(secrets.token_urlsafe, 48), repr=False)


def by_browser(
    way: SignInIssuer,
    endpoints: Endpoints,
    open_page: Callable[[str], None],
    *,
    cancelled: threading.Event,
    patience_s: float = PATIENCE_S,
) -> tuple[Granted, str]:
    """Sign a person in through their browser; return the tokens and what they are called.

    Parameters
    ----------
    way
        The issuer, and this client there.
    endpoints
        Where it answers.
    open_page
        Brings the person to the issuer's page: called once, with its address.
    cancelled
        Set by another thread when the person gives up.
    patience_s
        How long they may take.

    Raises
    ------
    SignInFailed
        If they say no, give up or take too long, or the answer cannot be trusted.
    IssuerUnavailable
        If the issuer does not answer.
    """
    proof = _Proof()
    with Loopback(way.redirects, proof.state) as loopback:
        open_page(_page_of(way, endpoints, loopback.redirect, proof))
        returned = loopback.wait(patience_s, cancelled)
        try:
            _check(returned, endpoints)
            found = _redeemed(way, endpoints, returned["code"], loopback.redirect, proof)
            person = _person(found, way, endpoints, proof.nonce)
        except HmzError as error:
            loopback.tell("Not signed in", str(error))
            raise
        loopback.tell("You are signed in", "You may close this page and return to your work.")
    return found, person


def _page_of(way: SignInIssuer, endpoints: Endpoints, redirect: str, proof: _Proof) -> str:
    asked = {
        "redirect_uri": redirect,
        "scope": " ".join(way.scopes),
        "state": proof.state,
        "nonce": proof.nonce,
        "code_challenge": create_s256_code_challenge(proof.verifier),
        "code_challenge_method": "S256",
        "resource": way.resource or None,
        # Without it, a refresh token is not given (OpenID Connect Core, 11).
        "prompt": "consent" if "offline_access" in way.scopes else None,
    }
    return str(prepare_grant_uri(endpoints.authorization, way.client_id, "code", **asked))


def _check(returned: Mapping[str, str], endpoints: Endpoints) -> None:
    """Refuse what is an error, or comes from another issuer (RFC 9207)."""
    if not same_issuer(returned.get("iss", endpoints.issuer), endpoints.issuer):
        raise SignInFailed("The browser came back from another issuer.")
    if "error" in returned:
        refused = Refused(returned["error"], returned.get("error_description", ""))
        raise SignInFailed(refused.sentence)
    if not returned.get("code"):
        raise SignInFailed("The browser came back without a code.")


def _redeemed(
    way: SignInIssuer, endpoints: Endpoints, code: str, redirect: str, proof: _Proof
) -> Granted:
    form = {
        "grant_type": "authorization_code",
        "client_id": way.client_id,
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": proof.verifier,
        "resource": way.resource,
    }
    try:
        return granted(send(endpoints.token, form))
    except Refused as refused:
        raise SignInFailed(refused.sentence) from None


def _person(found: Granted, way: SignInIssuer, endpoints: Endpoints, nonce: str) -> str:
    if found.identity is not None:
        return person_of(found.identity, endpoints, way.client_id, nonce)
    if "openid" in way.scopes:
        raise SignInFailed("The issuer gave no ID token.")
    return ""
