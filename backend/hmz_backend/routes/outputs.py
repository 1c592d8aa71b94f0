"""`/v1/runs/{id}/outputs/{name}/…`: each output as a zarr v3 store that any zarr reader opens."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Response

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Caller
from napari_hmz.schema import wire
from napari_hmz.schema.digest import content_digest

router = APIRouter(tags=["outputs"])


PATH = wire.output("{run}", "{name}", "{key:path}")


@router.head(PATH, include_in_schema=False, dependencies=rules.RUN_READ)
@router.get(
    PATH,
    dependencies=rules.RUN_READ,
    response_class=Response,
    responses={
        **problems("not-found"),
        200: {"description": "The stored bytes.", "content": {wire.BYTES_TYPE: {}}},
    },
)
async def output(  # noqa: PLR0917 # what a path and two headers say
    at: At,
    caller: Caller,
    run: str,
    name: str,
    key: str,
    want_content_digest: Annotated[str | None, Header()] = None,
) -> Response:
    """Return one key of the store; 404 means that the chunk is fill value, or not there yet."""
    body = await at.runs.output(caller, run, name, key)
    headers = {"Cache-Control": "no-store"}
    if want_content_digest != wire.NO_DIGEST:
        headers[wire.DIGEST_HEADER] = await asyncio.to_thread(content_digest, body)
    return Response(
        body,
        media_type="application/json" if key == "zarr.json" else wire.BYTES_TYPE,
        headers=headers,
    )
