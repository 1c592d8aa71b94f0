"""Where people sign in: what a backend says of it to anybody who asks."""

from napari_hmz.schema.base import Message


class SignInIssuer(Message):
    """An OpenID Connect issuer, and the public client that napari-hmz is registered as there."""

    issuer: str
    """Its address, as its discovery document names it; a slash at the end makes no difference."""
    client_id: str
    name: str = ""
    """What people call it."""
    scopes: tuple[str, ...] = ("openid", "profile", "offline_access", "entitlements")
    resource: str = ""
    """What access tokens are asked for (RFC 8707), where the issuer wants to know."""
    redirects: tuple[str, ...] = ("http://127.0.0.1/callback",)
    """The addresses of this machine that the issuer sends the browser back to, as registered there:
    without a port any port is taken, else the first one that is free."""


class SignIn(Message):
    """The ways to sign in at a backend; none: it has tokens of another kind."""

    issuers: tuple[SignInIssuer, ...] = ()
