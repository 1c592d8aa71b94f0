"""What is done with a refresh token: traded for new tokens, or given back."""

from napari_hmz.auth.granted import Granted, granted
from napari_hmz.auth.issuer import Endpoints, Refused, send


def renewed(endpoints: Endpoints, client_id: str, refresh: str, resource: str) -> Granted:
    """Trade a refresh token; an issuer that rotates them gives another, and takes this no more.

    Raises
    ------
    Refused
        If it is not worth anything any more.
    IssuerUnavailable
        If the issuer does not answer.
    """
    form = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "refresh_token": refresh,
        "resource": resource,
    }
    return granted(send(endpoints.token, form))


def revoke(endpoints: Endpoints, client_id: str, refresh: str) -> bool:
    """Give a refresh token back (RFC 7009); return whether the issuer took it.

    Raises
    ------
    IssuerUnavailable
        If the issuer does not answer.
    """
    form = {"client_id": client_id, "token": refresh, "token_type_hint": "refresh_token"}
    if not endpoints.revocation:
        return False
    try:
        send(endpoints.revocation, form)
    except Refused:
        return False
    return True
