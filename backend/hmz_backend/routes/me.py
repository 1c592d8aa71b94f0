"""`/v1/me`: who the caller is, so that a client can show it."""

from fastapi import APIRouter

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import Caller
from napari_hmz.schema import Me, wire

router = APIRouter(tags=["people"])


@router.get(wire.ME, responses=problems(), dependencies=rules.KNOWN)
async def me(caller: Caller) -> Me:
    """Say who the caller is, with groups, roles, and what the credential is good for."""
    return Me(
        issuer=caller.issuer,
        subject=caller.subject,
        name=caller.name,
        credential=caller.credential,
        groups=tuple(sorted(caller.groups)),
        roles=tuple(sorted(caller.roles)),
        scopes=tuple(sorted(caller.scopes)),
    )
