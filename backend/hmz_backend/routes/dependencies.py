"""What routes ask for: the caller, and the services behind them."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hmz_backend.audit.keeper import AuditKeeper
from hmz_backend.identity.admission import Admission, scope_of
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.kserve.facade import Facade
from hmz_backend.readings import Readings
from hmz_backend.routes.incoming import Incoming
from hmz_backend.routes.request_pace import RequestPace
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.service import RunService
from hmz_backend.runs.volumes import Volumes
from hmz_backend.usage.tally import Tally
from hmz_backend.watch.about import enter_person
from napari_hmz.errors import HmzError, ScopeMissing
from napari_hmz.schema import Health, Scope, wire
from napari_hmz.version import __version__


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes hand requests to.

    Parameters
    ----------
    identity
        Lets callers in, or not, and makes tokens for them.
    audit
        Writes down what they do.
    usage
        Counts what they use.
    pace
        How many requests one caller may make.
    catalogue, volumes, runs
        One per resource.
    engine
        The kind of engine, for health.
    readings
        Shows the metrics.
    kserve
        Passes requests on to Triton; none: there is no Triton that speaks HTTP.
    incoming
        What is on its way in.
    """

    identity: Admission
    audit: AuditKeeper
    usage: Tally
    pace: RequestPace
    catalogue: Catalogue
    volumes: Volumes
    runs: RunService
    engine: str
    readings: Readings
    kserve: Facade | None = None
    incoming: Incoming = field(default_factory=Incoming)

    async def admit(self, credential: Credential, scope: Scope) -> Principal:
        """Return who asks, as soon as they may ask again.

        Raises
        ------
        NotSignedIn, IssuerUnavailable, Suspended, ScopeMissing
            As `Admission.require`.
        LimitReached
            If they ask far too often.
        """
        try:
            principal = await self.identity.require(credential, scope)
            await self.pace.admit(principal)
        except HmzError as error:
            self.readings.watch.callers.refused(error.code)
            raise
        enter_person(self.readings.watch.pseudonyms.of(principal.issuer, principal.subject))
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


Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


async def caller(at: At, given: Shown, request: Request) -> Principal:
    """Return who asks; raises as `Services.admit`."""
    credential = Credential(given.credentials if given else None)
    request.state.caller = known = await at.admit(credential, scope_of(request.method))
    return known


async def person(known: Annotated[Principal, Depends(caller)]) -> Principal:
    """Return who asks, if it is a person: of visitors there is one for all of them.

    Raises
    ------
    ScopeMissing
        If nobody has signed in.
    """
    if known.credential == "anonymous":
        raise ScopeMissing("This is for people who have signed in.")
    return known


async def looker(at: At, given: Shown, request: Request) -> Principal:
    """Return who asks for something that is a look, though the protocol wants a POST for it."""
    credential = Credential(given.credentials if given else None)
    request.state.caller = known = await at.admit(credential, "read")
    return known


async def tile_asker(at: At, given: Shown, request: Request) -> Principal:
    """Return who asks for one tile: nothing is kept, so that who shows nothing may ask, too."""
    credential = Credential(given.credentials if given else None)
    request.state.caller = known = await at.admit(credential, "run" if given else "read")
    return known


async def token_maker(at: At, given: Shown) -> Principal:
    """Return who asks, if they are here in person: no token makes or lists tokens."""
    return await at.admit(Credential(given.credentials if given else None), "tokens")


Caller = Annotated[Principal, Depends(caller)]
Person = Annotated[Principal, Depends(person)]
Looker = Annotated[Principal, Depends(looker)]
TileAsker = Annotated[Principal, Depends(tile_asker)]
TokenMaker = Annotated[Principal, Depends(token_maker)]
