"""`/v2`: KServe's inference protocol over HTTP, for clients that are not ours.

What is not here does not exist: no repository control, no shared memory, no logging, no traces.
"""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response

from hmz_backend.identity.protocol import Principal
from hmz_backend.kserve.facade import Body, Facade
from hmz_backend.kserve.reply import PassedOn
from hmz_backend.kserve.request import header_bytes, read_inference
from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Caller, Looker, Services, TileAsker
from napari_hmz.errors import EngineUnavailable, RequestError
from napari_hmz.schema import ModelCard, wire
from napari_hmz.version import __version__

router = APIRouter(
    prefix=wire.KSERVE, tags=["kserve"], responses=problems("not-found", "engine-unavailable")
)
EXTENSIONS = ["binary_tensor_data", "parameters", "model_configuration", "model_repository"]


@router.get("", dependencies=rules.KNOWN)
async def server(caller: Caller) -> dict[str, Any]:  # noqa: ARG001 # asking is what refuses strangers
    """Return what this server is."""
    return {"name": "napari-hmz", "version": __version__, "extensions": EXTENSIONS}


@router.get("/health/live", response_class=Response, dependencies=rules.KNOWN)
async def live(caller: Caller) -> Response:  # noqa: ARG001 # as above
    """Answer that the backend is there."""
    return Response()


@router.get("/health/ready", response_class=Response, dependencies=rules.KNOWN)
async def ready(at: At, caller: Caller) -> Response:  # noqa: ARG001 # as above
    """Answer whether the engine can be used."""
    return Response(status_code=200 if at.health().status == "ok" else 400)


@router.post("/repository/index", dependencies=rules.KNOWN)
async def index(at: At, caller: Looker) -> list[dict[str, str]]:
    """List the models that the caller may see."""
    cards = await at.catalogue.search(caller)
    return [
        {"name": card.id, "version": card.version, "state": "READY", "reason": ""} for card in cards
    ]


@router.get("/models/{model}", dependencies=rules.MODEL)
@router.get("/models/{model}/versions/{version}", dependencies=rules.MODEL)
async def metadata(at: At, caller: Caller, model: str, version: str = "") -> dict[str, Any]:
    """Return names, data types and shapes of inputs and outputs."""
    card = await _card(at, caller, model, version)
    return await _facade(at).metadata(card)


@router.get("/models/{model}/config", dependencies=rules.MODEL)
@router.get("/models/{model}/versions/{version}/config", dependencies=rules.MODEL)
async def configuration(at: At, caller: Caller, model: str, version: str = "") -> dict[str, Any]:
    """Return what a caller may know of a model's configuration."""
    card = await _card(at, caller, model, version)
    return await _facade(at).configuration(card)


@router.get("/models/{model}/ready", response_class=Response, dependencies=rules.MODEL)
@router.get(
    "/models/{model}/versions/{version}/ready", response_class=Response, dependencies=rules.MODEL
)
async def model_ready(at: At, caller: Caller, model: str, version: str = "") -> Response:
    """Answer whether a model can be asked."""
    card = await _card(at, caller, model, version)
    await _facade(at).metadata(card)
    return Response()


@router.post("/models/{model}/infer", response_class=Response, dependencies=rules.MODEL)
@router.post(
    "/models/{model}/versions/{version}/infer", response_class=Response, dependencies=rules.MODEL
)
async def infer(
    request: Request, at: At, caller: TileAsker, model: str, version: str = ""
) -> Response:
    """Compute one tile; the tensors of the answer come as they are made."""
    card = await _card(at, caller, model, version)
    facade = _facade(at)
    length = _announced(request)
    words_bytes = header_bytes(request.headers, length)
    pieces = request.stream()
    read = bytearray()
    while len(read) < words_bytes:
        read += await anext(pieces)
    asked = read_inference(bytes(read[:words_bytes]), length - words_bytes, card)
    body = Body(length - words_bytes, _after(bytes(read[words_bytes:]), pieces))
    return PassedOn(lambda: facade.infer(card, caller, asked, body), card)


async def _card(at: Services, caller: Principal, model: str, version: str) -> ModelCard:
    return await at.catalogue.card(caller, model, version or None)


def _facade(at: Services) -> Facade:
    if at.kserve is None:
        raise EngineUnavailable(
            "This backend has no Triton that speaks HTTP.",
            remedy="Send the image as a run, or ask the backend's admin for `triton_http_urls`.",
        )
    return at.kserve


def _announced(request: Request) -> int:
    """Return the length of a body that can be passed on."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError("A packed body cannot be checked: send it plain.")
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise RequestError("The length of the body must be announced (Content-Length).")
    return int(length)


async def _after(begun: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if begun:
        yield begun
    async for piece in pieces:
        yield piece
