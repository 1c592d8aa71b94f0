"""`/v1/plans`: what a run would do, before anything is done."""

from typing import Annotated

from fastapi import APIRouter, Body

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Caller
from hmz_backend.routes.examples import RUN
from napari_hmz.schema import Plan, RunRequest, wire

router = APIRouter(tags=["plans"])
REFUSALS = (
    "not-found",
    "data-refused",
    "axes-mismatch",
    "dtype-unsuitable",
    "volume-empty",
    "region-invalid",
    "parameter-invalid",
    "voxel-size-mismatch",
    "plan-impossible",
)


@router.post(wire.PLANS, responses=problems(*REFUSALS), dependencies=rules.RUN_INPUTS)
async def plan(
    at: At, caller: Caller, request: Annotated[RunRequest, Body(openapi_examples=RUN)]
) -> Plan:
    """Say what a run would do, or why it cannot be done and what would help."""
    return await at.runs.plan(caller, request)
