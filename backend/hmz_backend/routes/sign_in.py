"""`/v1/sign-in`: open to everyone, since it says where people become known."""

from fastapi import APIRouter, Request

from hmz_backend.routes import rules
from hmz_backend.routes.answers import ANYBODY, described
from napari_hmz.schema import SignIn, wire

router = APIRouter(tags=["sign-in"])


@router.get(wire.SIGN_IN, responses=described(*ANYBODY), dependencies=rules.OPEN)
async def sign_in(request: Request) -> SignIn:
    """Say at which issuers people sign in, and as which client; none: tokens are given by hand."""
    told: SignIn = request.app.state.sign_in
    return told
