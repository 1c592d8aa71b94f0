"""What routes ask for: the caller, and the services behind them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hmz_backend.identity.chain import Chain
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.routes.request_pace import RequestPace
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.service import RunService
from hmz_backend.runs.volumes import Volumes
from napari_hmz.schema import Health, wire
from napari_hmz.version import __version__


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes hand requests to.

    Parameters
    ----------
    identity
        Knows callers.
    pace
        How many requests one caller may make.
    catalogue, volumes, runs
        One per resource.
    engine
        The kind of engine, for health.
    """

    identity: Chain
    pace: RequestPace
    catalogue: Catalogue
    volumes: Volumes
    runs: RunService
    engine: str

    async def admit(self, credential: Credential) -> Principal:
        """Return who asks, as soon as they may ask again.

        Raises
        ------
        NotSignedIn
            If nobody knows the credential.
        LimitReached
            If they ask far too often.
        """
        principal = await self.identity.require(credential)
        await self.pace.admit(principal)
        return principal

    def health(self) -> Health:
        """Return how the backend is: degraded while the engine cannot be used."""
        trouble = self.runs.parts.dispatcher.troubles
        return Health(
            status="degraded" if trouble else "ok",
            version=__version__,
            protocol=wire.PROTOCOL_VERSION,
            oldest_client=wire.OLDEST_CLIENT,
            engine=self.engine,
            detail=trouble,
        )

    def end_streams(self) -> None:
        """Let event streams and long polls end: the backend stops."""
        self.runs.end_streams()
        self.volumes.end_polls()


BEARER = HTTPBearer(auto_error=False, description="The token of this backend.")


async def services(request: Request) -> Services:  # a plain function would run in a thread
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


At = Annotated[Services, Depends(services)]


async def caller(
    at: At, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> Principal:
    """Return who asks; raises as `Services.admit`."""
    return await at.admit(Credential(given.credentials if given else None))


Caller = Annotated[Principal, Depends(caller)]
