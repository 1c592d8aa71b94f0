"""Signing in on another device: a code is typed there (RFC 8628)."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from napari_hmz.auth.granted import Granted, granted
from napari_hmz.auth.identity_token import person_of
from napari_hmz.auth.issuer import Endpoints, Refused, is_safe, send
from napari_hmz.errors import IssuerUnavailable, SignInFailed
from napari_hmz.schema import SignInIssuer

_USUAL_S = 5.0  # between two questions, where the issuer does not say
_SLOWER_S = 5.0  # what "slow down" adds


def by_device(
    way: SignInIssuer,
    endpoints: Endpoints,
    show_code: Callable[[str, str], None],
    *,
    cancelled: threading.Event,
) -> tuple[Granted, str]:
    """Sign a person in elsewhere; return the tokens and what they are called.

    Parameters
    ----------
    show_code
        Shows the address to open on any device, and the code to type there.
    cancelled
        Set by another thread when the person gives up.

    Raises
    ------
    SignInFailed
        If the issuer does not offer this, the person says no, gives up or takes too long.
    IssuerUnavailable
        If the issuer does not answer.
    """
    if not endpoints.device:
        raise SignInFailed(
            f"{endpoints.issuer} does not offer to sign in on another device.",
            remedy="Sign in through the browser of this machine (`hmz login`).",
        )
    verifier = secrets.token_urlsafe(48)
    asked = {
        "client_id": way.client_id,
        "scope": " ".join(way.scopes),
        "resource": way.resource,
        # Keycloak wants it here, too, of a client that must use PKCE; others do not mind.
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    try:
        device = send(endpoints.device, asked)
        url, code = _shown(device)
        show_code(url, code)
        form = {
            "grant_type": DEVICE_CODE_GRANT_TYPE,
            "client_id": way.client_id,
            "device_code": str(device.get("device_code", "")),
            "code_verifier": verifier,
        }
        found = _awaited(endpoints.token, form, device, cancelled)
    except Refused as refused:
        raise SignInFailed(refused.sentence) from None
    if found.identity is None:
        return found, ""
    return found, person_of(found.identity, endpoints, way.client_id, None)


def _shown(device: Mapping[str, Any]) -> tuple[str, str]:
    url = str(device.get("verification_uri_complete") or device.get("verification_uri", ""))
    if not is_safe(url):
        raise SignInFailed("The issuer names no safe page for the code.")
    return url, str(device.get("user_code", ""))


def _awaited(
    token_url: str, form: Mapping[str, str], device: Mapping[str, Any], cancelled: threading.Event
) -> Granted:
    pause_s = float(device.get("interval", _USUAL_S))
    end_s = time.monotonic() + float(device.get("expires_in", 600))
    while time.monotonic() < end_s:
        if cancelled.wait(pause_s):
            raise SignInFailed("Signing in was cancelled.")
        try:
            return granted(send(token_url, form))
        except IssuerUnavailable:  # the person may still be busy there: ask less often
            pause_s += _SLOWER_S
        except Refused as refused:
            if refused.reason == "slow_down":
                pause_s += _SLOWER_S
            elif refused.reason != "authorization_pending":
                raise
    raise SignInFailed("The code was not used in time.")
