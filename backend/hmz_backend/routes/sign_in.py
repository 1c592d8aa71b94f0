"""`/v1/sign-in`: open to everyone, since it says where people become known."""

from fastapi import APIRouter, Request

from napari_hmz.schema import SignIn, wire

router = APIRouter(tags=["sign-in"])


@router.get(wire.SIGN_IN)
async def sign_in(request: Request) -> SignIn:
    """Say at which issuers people sign in, and as which client; none: tokens are given by hand."""
    told: SignIn = request.app.state.sign_in
    return told
