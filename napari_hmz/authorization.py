"""The `Authorization` header: what a caller shows, and shows anew when it is not accepted any more.

Threads: may be used from several threads at once, as far as the credential may.
"""

from collections.abc import Generator
from typing import Protocol

import httpx


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

    A request whose token is not accepted any more is sent once again with another one, if there is
    one: whoever made the request does not notice.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request, and once more with another token if need be (as httpx has it)."""
        token = self._credential()
        _show(token, request)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential.renew(token):
            _show(self._credential(), request)
            yield request


def _show(token: str | None, request: httpx.Request) -> None:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
