"""`/v1/volumes`: announce an image, send its chunks, ask which are wanted."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.body import most_bytes, read_body
from hmz_backend.routes.dependencies import At, Caller
from hmz_backend.routes.examples import ABSENT, VOLUME
from hmz_backend.shares.turn import holder_of
from hmz_backend.usage.amount import Account, Amount
from napari_hmz.schema import Absent, Volume, VolumeRequest, Wanted, wire

router = APIRouter(tags=["volumes"])
LONGEST_POLL_S = 60.0


@router.post(
    wire.VOLUMES,
    responses=problems(
        "volume-empty",
        "source-unreadable",
        "address-refused",
        "data-refused",
        "conflict",
        "quota-exceeded",
    ),
    dependencies=rules.KNOWN,
)
async def announce(
    at: At,
    caller: Caller,
    request: Annotated[VolumeRequest, Body(openapi_examples=VOLUME)],
) -> Volume:
    """Announce an image; the same fingerprint gives the same volume with what is held."""
    return await at.volumes.announce(caller, request)


@router.get(
    wire.volume("{volume}"), responses=problems("not-found"), dependencies=rules.VOLUME_READ
)
async def get(at: At, caller: Caller, volume: str) -> Volume:
    """Return a volume, and how much of it is held."""
    return await at.volumes.get(caller, volume)


@router.put(
    wire.chunk("{volume}", "{key:path}"),
    dependencies=rules.VOLUME_CONTINUE,
    status_code=204,
    responses=problems(
        "not-found",
        "not-allowed",
        "chunk-corrupt",
        "chunk-too-large",
        "digest-mismatch",
        "quota-exceeded",
        "disk-full",
        "server-busy",
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {wire.BYTES_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_chunk(
    *,
    request: Request,
    at: At,
    caller: Caller,
    volume: str,
    key: str,
    content_digest: Annotated[str | None, Header()] = None,
) -> Response:
    """Store a chunk exactly as the source holds it; storing it again changes nothing."""
    staged = await at.volumes.open(caller, volume)
    most = most_bytes(request, staged.decoder.encoded_limit)
    with at.incoming.body(holder_of(caller.issuer, caller.subject), most):
        body = await read_body(request, most)
        await at.volumes.put_chunk(staged, volume, key, body, content_digest)
    at.usage.add(Account.of(caller), Amount(bytes_up=len(body)))
    return Response(status_code=204)


@router.post(
    wire.absent("{volume}"),
    status_code=204,
    responses=problems("not-found", "not-allowed"),
    dependencies=rules.VOLUME_CONTINUE,
)
async def absent(
    at: At,
    caller: Caller,
    volume: str,
    keys: Annotated[Absent, Body(openapi_examples=ABSENT)],
) -> Response:
    """Say which chunks are fill value and will not be sent."""
    staged = await at.volumes.open(caller, volume)
    await at.volumes.put_absent(staged, volume, keys)
    return Response(status_code=204)


@router.get(
    wire.wanted("{volume}"),
    responses=problems("not-found", "not-allowed"),
    dependencies=rules.VOLUME_CONTINUE,
)
async def wanted(
    at: At,
    caller: Caller,
    volume: str,
    timeout_s: Annotated[float, Query(ge=0, le=LONGEST_POLL_S)] = 20.0,
    first: Annotated[int, Query(ge=0)] = 0,
) -> Wanted:
    """Return the chunks that runs wait for, best first, as soon as there are some.

    Chunks that are under way are named again until they have come: the client leaves them out.
    `first`: only what the first so many blocks of each run wait for; whoever waits to see their
    results asks for the others later.
    """
    await at.volumes.open(caller, volume)
    waiting = at.volumes.wanted(volume, timeout_s, first)
    return await at.identity.people.unless_suspended(caller, waiting)
