"""Who a caller is, and the tokens that people make for their scripts."""

from typing import Literal

from pydantic import Field

from napari_hmz.schema.base import Message

Scope = Literal["read", "run", "tokens"]
"""What a credential is good for: look at things, change them, make tokens."""
TokenScope = Literal["read", "run"]
"""What a token may be made for: no token makes another."""
CredentialKind = Literal["issuer", "hub", "token", "shared", "anonymous"]
"""Signed in at an issuer, by a JupyterHub's token, by a token made here, by the shared one, not."""


class Me(Message):
    """The caller, as the backend knows them."""

    issuer: str
    subject: str
    name: str = ""
    credential: CredentialKind
    groups: tuple[str, ...] = ()
    """Canonical AARC-G069 texts."""
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class TokenRequest(Message):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=100)
    """What it is for, in the owner's words."""
    scopes: tuple[TokenScope, ...] = Field(default=("read", "run"), min_length=1)
    days: int = Field(default=90, ge=1, le=36500)
    """How long it lasts."""


class ApiToken(Message):
    """What is known of a token; the token itself is not."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str
    used_at: str | None = None
    """About when it was last used."""


class NewToken(ApiToken):
    """A token that was just made, shown this once."""

    token: str
