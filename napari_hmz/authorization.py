"""The `Authorization` header: what a caller shows, and shows anew when it is not accepted any more.

Threads: may be used from several threads at once, as far as the credential may.
"""

from collections.abc import Generator
from typing import Protocol

import httpx

_TOKENS = 3  # how many are tried for one request: a backend that takes none must not be asked on


class Credential(Protocol):
    """What a caller shows to the backend."""

    def __call__(self) -> str | None:
        """Return the token for one request; None for none."""

    def renew(self, rejected: str | None, /) -> bool:
        """Return whether there is another token now than one that was not accepted.

        It may ask a person, so that it takes minutes.
        """


class BearerAuth(httpx.Auth):
    """Adds the token when the request leaves, so that no stored header holds it.

    A request whose token is not accepted any more is sent again with another one, if there is one:
    whoever made the request does not notice. On a slow link a token may end on its way.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request, and again with another token if need be (as httpx has it)."""
        for _ in range(_TOKENS):
            token = self._credential()
            if token:
                request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            if not self._credential.renew(token):
                return
