"""What is kept of a sign-in between processes: in the keyring of the operating system alone."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class KeptIssuer(_Kept):
    """A person who has signed in at an issuer."""

    kind: Literal["issuer"] = "issuer"
    issuer: str
    client_id: str
    resource: str = ""
    refresh: SecretStr | None = None
    """None where the issuer gives none: then the sign-in lasts as long as the access token."""
    person: str = ""
    """What they are called there."""


class KeptToken(_Kept):
    """A token that the person has got elsewhere: of the backend itself, or of a JupyterHub."""

    kind: Literal["token"] = "token"
    token: SecretStr


class KeptCommand(_Kept):
    """A command that prints a token, as `oidc-token` and `mytoken` do."""

    kind: Literal["command"] = "command"
    command: str


Kept = KeptIssuer | KeptToken | KeptCommand
_ONE_OF: TypeAdapter[Kept] = TypeAdapter(Annotated[Kept, Field(discriminator="kind")])


def sealed(kept: Kept) -> str:
    """Return it as it goes into the keyring, with its secret."""
    return json.dumps({name: _bare(value) for name, value in kept.model_dump().items()})


def opened(text: str) -> Kept | None:
    """Read what `sealed` wrote; None if it is of a version that is not understood here."""
    try:
        return _ONE_OF.validate_json(text)
    except ValidationError:
        return None


def _bare(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
