"""`/v1/tokens`: make a token for a script, list one's own, take one back."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, TokenMaker
from hmz_backend.routes.examples import TOKEN
from napari_hmz.schema import ApiToken, NewToken, TokenRequest, wire

router = APIRouter(tags=["people"])


@router.post(
    wire.TOKENS,
    status_code=201,
    responses=problems("request"),
    dependencies=rules.PERSON,
)
async def create(
    at: At,
    caller: TokenMaker,
    response: Response,
    request: Annotated[TokenRequest, Body(openapi_examples=TOKEN)],
) -> NewToken:
    """Make a token; this answer is the only one that has it."""
    response.headers["Cache-Control"] = "no-store"
    return await at.identity.tokens.create(caller, request)


@router.get(wire.TOKENS, responses=problems(), dependencies=rules.PERSON)
async def listing(at: At, caller: TokenMaker) -> list[ApiToken]:
    """List the caller's tokens that have not expired, newest first, without the tokens."""
    return await at.identity.tokens.listing(caller)


@router.delete(
    wire.token("{token}"),
    status_code=204,
    responses=problems("not-found"),
    dependencies=rules.PERSON,
)
async def revoke(at: At, caller: TokenMaker, token: str) -> Response:
    """Take a token back; it stops working at once."""
    await at.identity.tokens.revoke(caller, token)
    return Response(status_code=204)
