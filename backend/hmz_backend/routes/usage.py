"""`/v1/usage`: what the caller has used of the backend, and nobody else's use."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Person
from hmz_backend.usage.report import Span, own_report
from napari_hmz.schema import Usage, Used, wire

router = APIRouter(tags=["people"])


@router.get(wire.USAGE, responses=problems("request"), dependencies=rules.PERSON)
async def usage(
    at: At,
    caller: Person,
    since: Annotated[date, Query(description="The first day, in UTC")] = date.min,
    until: Annotated[date, Query(description="The last day")] = date.max,
) -> Usage:
    """Say what the caller has used, by month and model."""
    span = Span(since.isoformat(), until.isoformat())
    lines = await at.usage.database.read(
        lambda c: own_report(c, caller.issuer, caller.subject, span)
    )
    return Usage(
        used=tuple(
            Used(
                month=month,
                model=model,
                version=version,
                tiles=amount.tiles,
                voxels=amount.voxels,
                engine_s=amount.engine_s,
                bytes_up=amount.bytes_up,
                bytes_down=amount.bytes_down,
            )
            for (month, model, version), amount in lines
        )
    )
