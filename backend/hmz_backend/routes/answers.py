"""What routes answer beside their own messages: errors as OpenAPI describes them, and ETags."""

import hashlib
from typing import Any, Final

from fastapi import Request, Response

from napari_hmz.errors import error_classes
from napari_hmz.schema import Problem, to_problem, wire

ANYBODY: Final = (
    "request-malformed",
    "address-refused",
    "client-too-old",
    "request-too-large",
    "request",
    "internal",
)
"""What is answered before a route is known, whoever asks."""
CALLER: Final = (
    "not-signed-in",
    "suspended",
    "scope-missing",
    "limit-reached",
    "issuer-unavailable",
)
"""What may become of a request before its route, where callers must be known."""
Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str) -> Responses:
    """Return OpenAPI's description of a route's errors: these, and what any caller may meet."""
    return described(*ANYBODY, *CALLER, *codes)


def described(*codes: str) -> Responses:
    """Return OpenAPI's description of the errors with these codes, with an example of each."""
    kinds = error_classes()
    found: Responses = {}
    for code in codes:
        error = kinds[code]()
        entry = found.setdefault(
            error.status,
            {
                "description": error.title,
                "model": Problem,
                "content": {wire.PROBLEM_TYPE: {"examples": {}}},
            },
        )
        example = to_problem(error, "4f2a9c01d3b87e65").model_dump()
        entry["content"][wire.PROBLEM_TYPE]["examples"][code] = {"value": example}
    return found


def tagged(request: Request, body: bytes, media_type: str = "application/json") -> Response:
    """Return a body with its ETag, or 304 if the client has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
