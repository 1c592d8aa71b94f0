"""`/v1/runs/{id}/shares`, `/v1/volumes/{id}/shares`: let others see something, or go on with it."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Caller
from hmz_backend.routes.examples import SHARE
from napari_hmz.schema import Share, ShareRequest, wire

router = APIRouter(tags=["shares"], responses=problems("not-found", "not-allowed"))
RUN, VOLUME = wire.run("{run}"), wire.volume("{volume}")
Asked = Annotated[ShareRequest, Body(openapi_examples=SHARE)]


@router.post(wire.shares(RUN), status_code=201, dependencies=rules.RUN_OWN)
async def share_run(at: At, caller: Caller, run: str, request: Asked) -> Share:
    """Share a run; with the same people again, it changes what they may."""
    return await at.runs.sharing.add(caller, run, request)


@router.get(wire.shares(RUN), dependencies=rules.RUN_OWN)
async def run_shares(at: At, caller: Caller, run: str) -> list[Share]:
    """Say with whom a run is shared."""
    return await at.runs.sharing.listing(caller, run)


@router.delete(wire.share(RUN, "{share}"), status_code=204, dependencies=rules.RUN_OWN)
async def unshare_run(at: At, caller: Caller, run: str, share: str) -> Response:
    """Take a share of a run back; it ends at once."""
    await at.runs.sharing.remove(caller, run, share)
    return Response(status_code=204)


@router.post(wire.shares(VOLUME), status_code=201, dependencies=rules.VOLUME_OWN)
async def share_volume(at: At, caller: Caller, volume: str, request: Asked) -> Share:
    """Share a volume: others may use it in runs of theirs, or also send its chunks."""
    return await at.volumes.sharing.add(caller, volume, request)


@router.get(wire.shares(VOLUME), dependencies=rules.VOLUME_OWN)
async def volume_shares(at: At, caller: Caller, volume: str) -> list[Share]:
    """Say with whom a volume is shared."""
    return await at.volumes.sharing.listing(caller, volume)


@router.delete(wire.share(VOLUME, "{share}"), status_code=204, dependencies=rules.VOLUME_OWN)
async def unshare_volume(at: At, caller: Caller, volume: str, share: str) -> Response:
    """Take a share of a volume back; it ends at once."""
    await at.volumes.sharing.remove(caller, volume, share)
    return Response(status_code=204)
