"""The prefix under which a proxy that passes whole paths on, such as JupyterHub's, has the backend.

Behind it everything is as if there were none. Requests without the prefix are answered, too: those
of other server processes, and of whoever asks directly.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app
        What is behind.
    prefix
        Without a slash at its end; empty: none.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self._prefix = prefix.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request on without its prefix."""
        if self._prefix and scope["type"] == "http":
            raw: bytes = scope["raw_path"]
            if raw.startswith(self._prefix + b"/"):
                length = len(self._prefix)
                path = scope["path"].split("/", self._prefix.count(b"/") + 1)[-1]
                scope = {**scope, "raw_path": raw[length:], "path": f"/{path}"}
        await self.app(scope, receive, send)
