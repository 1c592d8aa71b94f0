"""`/v1/health`: open to everyone, and the first thing that a client asks."""

from fastapi import APIRouter

from hmz_backend.routes import rules
from hmz_backend.routes.answers import ANYBODY, described
from hmz_backend.routes.dependencies import At
from napari_hmz.schema import Health, wire

router = APIRouter(tags=["health"])


@router.get(wire.HEALTH, responses=described(*ANYBODY), dependencies=rules.OPEN)
async def health(at: At) -> Health:
    """Say how the backend is, and which protocol it speaks."""
    return at.health()
