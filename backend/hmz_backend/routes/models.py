"""`/v1/models`: the cards of all models that the caller may see."""

import mimetypes
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import TypeAdapter

from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems, tagged
from hmz_backend.routes.dependencies import At, Caller
from napari_hmz.schema import ModelCard, wire

router = APIRouter(tags=["models"])
CARDS = TypeAdapter(list[ModelCard])


@router.get(
    wire.MODELS, response_model=list[ModelCard], responses=problems(), dependencies=rules.KNOWN
)
async def cards(
    *,
    request: Request,
    at: At,
    caller: Caller,
    task: Annotated[str | None, Query(examples=["instance-segmentation"])] = None,
    q: Annotated[str | None, Query(description="Words in name, summary or tags")] = None,
    cache_control: Annotated[
        str, Header(description="`no-cache`: as they are now, not a few seconds ago")
    ] = "",
) -> Response:
    """List the cards, newest version first."""
    is_fresh = wire.NO_CACHE in cache_control
    cards = await at.catalogue.search(caller, task, q, fresh=is_fresh)
    found = await at.catalogue.with_speeds(cards)
    return tagged(request, CARDS.dump_json(found))


@router.get(
    wire.model("{model}"),
    response_model=ModelCard,
    responses=problems("not-found"),
    dependencies=rules.MODEL,
)
async def newest_card(request: Request, at: At, caller: Caller, model: str) -> Response:
    """Return the card of a model's newest version."""
    (found,) = await at.catalogue.with_speeds([await at.catalogue.card(caller, model)])
    return tagged(request, found.model_dump_json().encode())


@router.get(
    wire.model("{model}", "{version}"),
    response_model=ModelCard,
    responses=problems("not-found"),
    dependencies=rules.MODEL,
)
async def card(
    request: Request,
    at: At,
    caller: Caller,
    model: str,
    version: str,
) -> Response:
    """Return the card of one version of a model."""
    (found,) = await at.catalogue.with_speeds([await at.catalogue.card(caller, model, version)])
    return tagged(request, found.model_dump_json().encode())


@router.get(
    wire.model("{model}", "{version}") + "/{picture:path}",
    response_class=Response,
    responses={**problems("not-found"), 200: {"content": {"image/*": {}}}},
    dependencies=rules.MODEL,
)
async def picture(
    *,
    request: Request,
    at: At,
    caller: Caller,
    model: str,
    version: str,
    picture: str,
) -> Response:
    """Return the thumbnail that the card names."""
    body = await at.catalogue.picture(caller, model, version, picture)
    return tagged(request, body, _picture_type(picture))


def _picture_type(name: str) -> str:
    """Return the media type of a picture, by its name; what may hold scripts is not named so."""
    found = mimetypes.guess_type(name)[0] or ""
    return found if found.startswith("image/") and "svg" not in found else wire.BYTES_TYPE
