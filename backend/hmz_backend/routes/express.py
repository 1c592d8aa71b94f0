"""A short way for the two requests that come by the thousand: a chunk in, a chunk of an output out.

What the framework does for any route (matching, dependencies, parsing) takes longer than the
request itself. Here the path is matched by hand and the very same route functions are called; all
else goes on to the framework. Errors are answered by the gate around it.
"""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hmz_backend.identity.admission import scope_of
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.routes.dependencies import Services
from hmz_backend.routes.outputs import output
from hmz_backend.routes.volumes import put_chunk
from napari_hmz.schema import wire

CHUNK_ROUTE: Final = wire.chunk("{volume}", "{key:path}")
OUTPUT_ROUTE: Final = wire.output("{run}", "{name}", "{key:path}")
CHUNK: Final = re.compile(wire.chunk("([^/]+)", "(.+)"))
OUTPUT: Final = re.compile(wire.output("([^/]+)", "([^/]+)", "(.+)"))


class Express:
    """ASGI middleware before the framework's routes.

    Parameters
    ----------
    app
        What answers everything else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a chunk; hand on any other."""
        method = scope["method"] if scope["type"] == "http" else ""
        if method == "PUT" and (found := CHUNK.fullmatch(scope["path"])):
            scope["state"]["route"] = CHUNK_ROUTE
            response = await _put(Request(scope, receive), *found.groups())
        elif method == "GET" and (found := OUTPUT.fullmatch(scope["path"])):
            scope["state"]["route"] = OUTPUT_ROUTE
            response = await _get(Request(scope, receive), *found.groups())
        else:
            await self.app(scope, receive, send)
            return
        scope["state"]["is_usual"] = True  # by the thousand: not worth a line in the log each
        await response(scope, receive, send)


async def _put(request: Request, volume: str, key: str) -> Response:
    at, caller = await _asked(request)
    digest = request.headers.get(wire.DIGEST_HEADER)
    return await put_chunk(
        request=request, at=at, caller=caller, volume=volume, key=key, content_digest=digest
    )


async def _get(request: Request, run: str, name: str, key: str) -> Response:
    at, caller = await _asked(request)
    wanted = request.headers.get(wire.WANT_DIGEST_HEADER)
    return await output(at, caller, run, name, key, wanted)


async def _asked(request: Request) -> tuple[Services, Principal]:
    at: Services = request.app.state.services
    credential = Credential(bearer(request.headers))
    request.state.caller = caller = await at.admit(credential, scope_of(request.method))
    return at, caller


def bearer(headers: Headers) -> str | None:
    """Return the token that a request brings along, as the framework finds it."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None
