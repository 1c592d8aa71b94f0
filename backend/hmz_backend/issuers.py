"""Whose word about a caller counts: what the admin says of OpenID Connect issuers and of a hub."""

import ipaddress
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from hmz_backend.entitlements import canonical_group
from hmz_backend.secret_files import read_secret
from napari_hmz.errors import SettingsInvalid
from napari_hmz.schema import SignIn, SignInIssuer

Role = Literal["contributor", "reviewer", "admin"]
Check = Literal["keys", "introspection", "userinfo"]


def secure_url(url: str) -> str:
    """Return an address without the slash at its end.

    Raises
    ------
    ValueError
        If it is not `https`, other than on this machine's loopback, or is more than an address.
    """
    parts = urlsplit(url)
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not (parts.scheme == "https" or plain) or not parts.hostname:
        raise ValueError("an address must begin with https://")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("an address has no password, query or fragment")
    return url.removesuffix("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own, for itself alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def loopback_url(url: str) -> str:
    """Return an address of the person's own machine.

    Raises
    ------
    ValueError
        If it is one of another: codes would be sent there.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise ValueError("a redirect must begin with http://127.0.0.1, http://[::1] or localhost")
    return url


Url = Annotated[str, AfterValidator(secure_url)]
Loopback = Annotated[str, AfterValidator(loopback_url)]
Group = Annotated[str, AfterValidator(canonical_group)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RoleRule(Section):
    """Who has a role: those in one of the groups, and those named."""

    groups: tuple[Group, ...] = ()
    """AARC-G069 groups, with role and authority where they matter."""
    subjects: tuple[str, ...] = ()
    """Persons, as the issuer's `sub` names them."""


class DesktopSettings(Section):
    """How people's machines sign in there: a public client that napari-hmz is registered as."""

    client_id: str = Field(min_length=1)
    """Its name at the issuer; name it in `clients`, or in `audiences`, too."""
    name: str = ""
    """What people call the issuer."""
    scopes: tuple[str, ...] = SignInIssuer.model_fields["scopes"].default
    """What is asked for; `offline_access` lets a sign-in outlive a token."""
    resource: str = ""
    """For what tokens are asked for (RFC 8707), where the issuer wants to know."""
    redirects: tuple[Loopback, ...] = SignInIssuer.model_fields["redirects"].default
    """Where the issuer sends the browser, as registered there: addresses of the person's machine,
    with any port where none is named."""


class IssuerSettings(Section):
    """One OpenID Connect issuer: whose tokens count, and what they say."""

    url: Url
    """The issuer, as its tokens name it; a slash at the end makes no difference."""
    audiences: tuple[str, ...] = ()
    """Accepted values of `aud`: for whom a token must be made."""
    clients: tuple[str, ...] = ()
    """Accepted values of `client_id` or `azp`: who may have asked for a token."""
    check: tuple[Check, ...] = ("keys",)
    """How tokens are checked: signed ones by `keys`, any by `introspection`; `userinfo` is asked
    for groups besides."""
    client_id: str = ""
    """This backend at the issuer, for introspection."""
    client_secret: SecretStr | None = None
    """The secret that belongs to `client_id`."""
    client_secret_file: Path | None = None
    """A file that holds it instead."""
    client_secret_env: str = ""
    """A variable of the environment that holds it instead."""
    authorities: tuple[str, ...] = ()
    """Whose groups count: what stands after the # of an entitlement; none: no groups."""
    roles: Mapping[Role, RoleRule] = Field(default_factory=dict)
    """Who has more rights: `[issuers.roles.ROLE]` with `groups` and `subjects`."""
    desktop: DesktopSettings | None = None
    """How napari, Python and the shell sign in: `[issuers.desktop]`; none: not here."""
    leeway_s: float = Field(default=60.0, ge=0, le=300)
    """How far the issuer's clock may be from this one."""

    @model_validator(mode="after")
    def _check_that_it_is_safe(self) -> Self:
        if not self.check:
            raise ValueError("check must name a way")
        secrets = (self.client_secret, self.client_secret_file, self.client_secret_env)
        if "introspection" in self.check and not (self.client_id and any(secrets)):
            raise ValueError("introspection needs client_id and its secret")
        named = bool(self.audiences or self.clients)
        if self.check == ("userinfo",):
            if named:
                raise ValueError(
                    "userinfo alone does not tell for whom a token was made: leave audiences and"
                    " clients empty if tokens made for any service of this issuer are to be"
                    " accepted, or add introspection"
                )
        elif not named:
            raise ValueError("audiences or clients must say for whom tokens are made")
        return self

    def secret(self) -> SecretStr:
        """Return the client's secret, read now.

        Raises
        ------
        SettingsInvalid
            If the file cannot be read, or what is read is empty.
        """
        if self.client_secret_file is not None:
            return read_secret(self.client_secret_file, "client_secret_file")
        found = self.client_secret.get_secret_value() if self.client_secret else ""
        if self.client_secret_env:
            found = os.environ.get(self.client_secret_env, "")
        if not found:
            raise SettingsInvalid(f"The client secret at {self.url} is empty.")
        return SecretStr(found)


class HubSettings(Section):
    """A JupyterHub whose tokens count."""

    url: Url
    """The hub's API, for example `https://hub.example.org/hub/api`."""
    scope: str = Field(min_length=1)
    """What a token must be allowed, for example `access:services!service=hmz`."""
    authorities: tuple[str, ...] = ()
    """Whose groups count where the hub's groups are entitlements; any group of the hub counts as
    `urn:jupyterhub:hub:group:NAME#HOST`."""
    roles: Mapping[Role, RoleRule] = Field(default_factory=dict)
    """Who has more rights: `[jupyterhub.roles.ROLE]` with `groups` and `subjects` (user names)."""


def sign_in_of(issuers: Sequence[IssuerSettings]) -> SignIn:
    """Return what the backend tells of where people sign in."""
    return SignIn(
        issuers=tuple(
            SignInIssuer(issuer=issuer.url, **issuer.desktop.model_dump())
            for issuer in issuers
            if issuer.desktop is not None
        )
    )
