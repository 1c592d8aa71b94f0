"""Signing in at a backend, and out: it says where, the issuer says who.

Threads: called in a thread that may wait for a person; `cancelled` is set by another one.
"""

import threading
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from napari_hmz import errors
from napari_hmz.auth import SignIns
from napari_hmz.auth.code_flow import by_browser
from napari_hmz.auth.device_flow import by_device
from napari_hmz.auth.issuer import discover, is_safe
from napari_hmz.auth.kept import KeptIssuer
from napari_hmz.auth.renewal import revoke
from napari_hmz.http import Http
from napari_hmz.schema import SignIn, SignInIssuer, wire


class Show(Protocol):
    """Shows a person where to sign in."""

    def page(self, url: str, /) -> None:
        """Open the issuer's page in their browser, on this machine."""

    def code(self, url: str, code: str, /) -> None:
        """Show an address to open on any device, and the code to type there."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How to sign in.

    Parameters
    ----------
    issuer
        The name or address of the issuer to sign in at; empty: the first of the backend.
    device
        On another device, with a code.
    cancelled
        Set when the person gives up.
    """

    issuer: str = ""
    device: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)


def ways_of(backend: str) -> SignIn:
    """Ask a backend where people sign in.

    Raises
    ------
    SignInFailed
        If it does not say, or tokens would travel to it in the clear.
    BackendUnreachable
        If it does not answer.
    """
    if not is_safe(backend):
        raise errors.SignInFailed(
            f"A token would travel to {backend} for everybody to read.",
            remedy="Use the backend's https:// address.",
        )
    with Http(backend) as http:
        try:
            ways = http.get(wire.SIGN_IN, SignIn)
        except errors.NotFound:  # one from before there was such a thing
            ways = SignIn()
    if not ways.issuers:
        raise errors.SignInFailed(
            f"{backend} does not say where people sign in.",
            remedy="Ask its admin for a token, and give it to `hmz login --token`.",
        )
    return ways


def sign_in(backend: str, sign_ins: SignIns, show: Show, attempt: Attempt | None = None) -> str:
    """Let a person sign in at a backend, remember it, and return what they are called.

    Raises
    ------
    SignInFailed
        If they say no, give up or take too long, or the answer cannot be trusted.
    BackendUnreachable, IssuerUnavailable
        If the backend or the issuer does not answer.
    """
    attempt = attempt or Attempt()
    way = _chosen(ways_of(backend), attempt.issuer)
    endpoints = discover(way.issuer)
    if attempt.device:
        found, person = by_device(way, endpoints, show.code, cancelled=attempt.cancelled)
    else:
        found, person = by_browser(way, endpoints, show.page, cancelled=attempt.cancelled)
    kept = KeptIssuer(
        issuer=way.issuer,
        client_id=way.client_id,
        resource=way.resource,
        refresh=None if found.refresh is None else SecretStr(found.refresh),
        person=person,
    )
    sign_ins.keep(backend.rstrip("/"), kept, found.access)
    return person


def sign_out(backend: str, sign_ins: SignIns) -> bool:
    """Forget a sign-in, and give its refresh token back; return whether the issuer took it.

    Raises
    ------
    NotSignedIn
        If nobody is signed in there.
    IssuerUnavailable
        If the issuer does not answer; the sign-in is forgotten all the same.
    """
    place = backend.rstrip("/")
    kept = sign_ins.kept(place)
    if kept is None and sign_ins.access(place) is None:
        raise errors.NotSignedIn(f"Nobody is signed in at {backend}.")
    sign_ins.forget(place)
    if not isinstance(kept, KeptIssuer) or kept.refresh is None:
        return False
    return revoke(discover(kept.issuer), kept.client_id, kept.refresh.get_secret_value())


def _chosen(ways: SignIn, issuer: str) -> SignInIssuer:
    for way in ways.issuers:
        if issuer in ("", way.name, way.issuer, way.issuer.removesuffix("/")):
            return way
    there = ", ".join(way.name or way.issuer for way in ways.issuers)
    raise errors.SignInFailed(f"There is no issuer {issuer}; there are {there}.", remedy=" ")
