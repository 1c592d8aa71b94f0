"""`/v1/runs`: start, look, follow, steer, stop, resume and remove."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Body, Header, Response
from fastapi.responses import StreamingResponse

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Caller
from hmz_backend.routes.examples import FOCUS, RUN
from hmz_backend.routes.plans import REFUSALS
from napari_hmz.schema import Focus, Run, RunRequest, wire

router = APIRouter(tags=["runs"])
SILENCE_S = 15.0


@router.post(
    wire.RUNS,
    status_code=201,
    responses=problems(*REFUSALS, "conflict", "disk-full", "limit-reached", "server-busy"),
    dependencies=rules.RUN_INPUTS,
)
async def create(
    at: At,
    caller: Caller,
    request: Annotated[RunRequest, Body(openapi_examples=RUN)],
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Run:
    """Start a run; the same idempotency key gives the same run."""
    return await at.runs.create(caller, request, idempotency_key)


@router.get(wire.RUNS, responses=problems(), dependencies=rules.KNOWN)
async def listing(at: At, caller: Caller) -> list[Run]:
    """List the caller's runs and those that are shared with them, newest first."""
    return await at.runs.listing(caller)


@router.get(wire.run("{run}"), responses=problems("not-found"), dependencies=rules.RUN_READ)
async def get(at: At, caller: Caller, run: str) -> Run:
    """Return a run and how far it is."""
    return await at.runs.get(caller, run)


@router.delete(
    wire.run("{run}"),
    status_code=204,
    responses=problems("not-found", "not-allowed", "conflict"),
    dependencies=rules.RUN_OWN,
)
async def remove(at: At, caller: Caller, run: str) -> Response:
    """Forget a run that has ended, and delete its results."""
    await at.runs.remove(caller, run)
    return Response(status_code=204)


@router.get(
    wire.events("{run}"),
    dependencies=rules.RUN_READ,
    response_class=StreamingResponse,
    responses={
        **problems("not-found"),
        200: {
            "description": "Server-sent events, each with its number as id, until the run ends.",
            "content": {
                wire.EVENTS_TYPE: {
                    "example": "id: 1\nevent: state\ndata: "
                    '{"kind":"state","number":1,"state":"queued"}\n\n'
                }
            },
        },
    },
)
async def events(
    at: At,
    caller: Caller,
    run: str,
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> StreamingResponse:
    """Follow a run: the events after `Last-Event-ID`, then new ones as they come."""
    found = await at.runs.events(caller, run, last_event_id, silence_s=SILENCE_S)
    welcome = at.identity.people.while_welcome(caller, found)
    return StreamingResponse(
        _written(welcome), media_type=wire.EVENTS_TYPE, headers={"Cache-Control": "no-store"}
    )


@router.post(
    wire.focus("{run}"),
    status_code=204,
    responses=problems("not-found", "not-allowed"),
    dependencies=rules.RUN_CONTINUE,
)
async def focus(
    at: At,
    caller: Caller,
    run: str,
    request: Annotated[Focus, Body(openapi_examples=FOCUS)],
) -> Response:
    """Let the blocks that touch a region of the volume go first."""
    await at.runs.focus(caller, run, request.region)
    return Response(status_code=204)


@router.post(
    wire.cancel("{run}"),
    responses=problems("not-found", "not-allowed"),
    dependencies=rules.RUN_CONTINUE,
)
async def cancel(at: At, caller: Caller, run: str) -> Run:
    """Stop a run; finished chunks stay."""
    return await at.runs.cancel(caller, run)


@router.post(
    wire.resume("{run}"),
    responses=problems("not-found", "not-allowed", "disk-full"),
    dependencies=rules.RUN_CONTINUE,
)
async def resume(at: At, caller: Caller, run: str) -> Run:
    """Let a run that was cancelled or has failed go on; any other is returned as it is."""
    return await at.runs.resume(caller, run)


async def _written(events: AsyncIterator[tuple[int, str, str] | None]) -> AsyncIterator[str]:
    async for event in events:
        if event is None:
            yield ":\n\n"
        else:
            number, kind, body = event
            yield f"id: {number}\nevent: {kind}\ndata: {body}\n\n"
