"""What an issuer grants: tokens, none of which shows itself."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_hmz.errors import SignInFailed

EARLIEST_S = 30.0
"""How long before its end a token is renewed, unless that is most of its life."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access token.

    Parameters
    ----------
    token
        What goes into a request.
    renewed_at_s
        When it is time for another one, on the monotonic clock.
    """

    token: str = field(repr=False)
    renewed_at_s: float = math.inf

    @property
    def ends_soon(self) -> bool:
        """Whether it is time for another one."""
        return time.monotonic() >= self.renewed_at_s


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer of a token endpoint; None stands for what it did not give."""

    access: Access
    refresh: str | None = field(repr=False)
    identity: str | None = field(repr=False)


def granted(answer: Mapping[str, object]) -> Granted:
    """Read a token endpoint's answer.

    Raises
    ------
    SignInFailed
        If it holds no bearer token.
    """
    token, kind = answer.get("access_token"), str(answer.get("token_type", ""))
    if not isinstance(token, str) or not token or kind.lower() != "bearer":
        raise SignInFailed("The issuer gave no access token.")
    return Granted(
        Access(token, _renewed_at_s(answer.get("expires_in"))),
        _text(answer.get("refresh_token")),
        _text(answer.get("id_token")),
    )


def _renewed_at_s(expires_in: object) -> float:
    try:
        life_s = float(str(expires_in))
    except ValueError:  # not said: then the backend's 401 tells
        return math.inf
    return time.monotonic() + life_s - min(EARLIEST_S, life_s / 10)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
