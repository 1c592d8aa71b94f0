"""Several kinds of credential in a row: the first that knows the caller answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from hmz_backend.identity.protocol import Credential, Identity, Principal
from napari_hmz.errors import NotSignedIn


@dataclass(frozen=True, slots=True)
class Chain:
    """Asks each identity in turn."""

    links: Sequence[Identity]

    async def identify(self, credential: Credential) -> Principal | None:
        """Return the first answer; none if nobody knows the caller."""
        for link in self.links:
            principal = await link.identify(credential)
            if principal is not None:
                return principal
        return None

    async def require(self, credential: Credential) -> Principal:
        """Return the caller.

        Raises
        ------
        NotSignedIn
            If nobody knows the credential, or it is no good.
        """
        principal = await self.identify(credential)
        if principal is None:
            raise NotSignedIn("No credential that this backend accepts came with the request.")
        return principal
