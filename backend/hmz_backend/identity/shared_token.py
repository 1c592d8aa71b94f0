"""One secret for everyone who may use this backend: enough on loopback, and only there."""

import hmac
from dataclasses import dataclass

from pydantic import SecretStr

from hmz_backend.identity.protocol import Credential, Principal


@dataclass(frozen=True, slots=True)
class SharedToken:
    """Knows one principal, the owner of this machine's backend, by one secret."""

    secret: SecretStr

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the owner if the token is the shared one, else none."""
        given = (credential.bearer or "").encode()
        wanted = self.secret.get_secret_value().encode()
        if not wanted or not hmac.compare_digest(given, wanted):
            return None
        return Principal(issuer="local", subject="owner", roles=frozenset({"user", "admin"}))
