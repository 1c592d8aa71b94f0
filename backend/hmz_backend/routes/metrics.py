"""`/metrics`: what Prometheus reads. They name nobody, but tell how much the others compute.

Whoever reaches the address that is meant for them alone may read; at the main address an admin may,
and whoever shows the token of the settings. For all others there is nothing here.
"""

import hmac

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from hmz_backend.identity.protocol import Credential
from hmz_backend.readings import Readings
from hmz_backend.routes import rules
from hmz_backend.routes.answers import problems
from hmz_backend.routes.dependencies import At, Services, Shown
from hmz_backend.watch.watch import Watch
from napari_hmz.errors import NotFound
from napari_hmz.schema import wire

router = APIRouter(tags=["metrics"])


class MetricsAddress:
    """ASGI middleware around everything: at one port it answers metrics, and nothing else.

    Parameters
    ----------
    app
        What answers at all other ports.
    watch
        Knows the port, and what was counted.
    """

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self.app = app
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        port = self.watch.port
        if port is None or scope["type"] != "http" or (scope.get("server") or ("", 0))[1] != port:
            await self.app(scope, receive, send)
            return
        is_asked = scope["method"] in ("GET", "HEAD") and scope["path"] == wire.METRICS
        response = await self._answer(scope) if is_asked else Response(status_code=404)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        """Answer, also where another process looks after runs: this one has counted, too."""
        readings: Readings | None = getattr(scope["app"].state, "readings", None)
        return _shown(await readings.text() if readings else self.watch.instruments.text())


@router.get(
    wire.METRICS,
    dependencies=rules.METRICS,
    response_class=Response,
    responses={
        **problems("not-found"),
        200: {"description": "All metrics.", "content": {"text/plain": {}}},
    },
)
async def metrics(at: At, given: Shown) -> Response:
    """Return all metrics in Prometheus' text format."""
    credential = Credential(given.credentials if given else None)
    if not _is_scraper(at, credential):
        caller = await at.admit(credential, "read")
        if "admin" not in caller.roles:
            raise NotFound("There is nothing at this address.")
    return _shown(await at.readings.text())


def _is_scraper(at: Services, credential: Credential) -> bool:
    secret = at.readings.settings.token_for_metrics()
    wanted = secret.get_secret_value() if secret else ""
    given = credential.bearer or ""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def _shown(text: bytes) -> Response:
    return Response(text, media_type=CONTENT_TYPE_LATEST)
