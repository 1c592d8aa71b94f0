"""Behind a proxy that passes whole paths on, the backend is where the prefix ends."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from hmz_backend.routes.prefix import Prefix


@pytest.mark.parametrize(
    ("prefix", "raw", "path"),
    [
        ("", "/v1/health", "/v1/health"),
        ("/services/hmz", "/services/hmz/v1/health", "/v1/health"),
        ("/services/hmz", "/services/hmz/", "/"),
        ("/services/hmz", "/v1/health", "/v1/health"),
        ("/services/hmz", "/services/hmzx/v1", "/services/hmzx/v1"),
        ("/services/hmz", "/services/hmz/services/hmz/v1", "/services/hmz/v1"),
        ("/user/a%40b.de", "/user/a%40b.de/v1/models/a%2Fb", "/v1/models/a/b"),
    ],
)
def test_what_is_behind_sees_no_prefix(prefix: str, raw: str, path: str) -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    decoded = raw.replace("%40", "@").replace("%2F", "/")
    scope = {"type": "http", "path": decoded, "raw_path": raw.encode(), "method": "GET"}
    asyncio.run(Prefix(app, prefix)(scope, receive, send))
    assert seen["path"] == path
    assert seen["raw_path"].decode().replace("%40", "@").replace("%2F", "/") == path
