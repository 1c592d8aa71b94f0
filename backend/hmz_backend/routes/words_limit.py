"""Bodies of words (JSON), read before any route: never long, never deep, never for ever.

Pixels do not come this way: chunks and tiles have limits of their own (`express`, `kserve`).
"""

import asyncio
import re
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from napari_hmz.errors import RequestError, RequestTooLarge
from napari_hmz.schema import wire

MOST_BYTES: Final = 2 * 2**20
"""The longest are those that name absent chunks and the metadata of an array: some 100 KiB."""
MOST_DEEP: Final = 32
"""Arrays and objects within each other; zarr's documents have up to 8."""
COMES_S: Final = 60.0
"""How long a body may take to come."""
LONG: Final = 64 * 1024  # from here on, looking through it takes a while
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_TEXTS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_INFERENCE: Final = re.compile(f"{wire.KSERVE}/models/.*/infer")


class WordsLimit:
    """ASGI middleware before the framework's routes.

    Parameters
    ----------
    app
        What is behind; it gets the body as one piece.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body of a request, and hand it on."""
        if scope["type"] != "http" or _INFERENCE.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        body = await read_words(Request(scope, receive))
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


async def read_words(request: Request) -> bytes:
    """Return a body that is neither long nor deep.

    Raises
    ------
    RequestTooLarge
        As soon as it is longer than any has to be.
    RequestError
        If it is too deep, holds what no text holds, or does not come.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MOST_BYTES:
        raise RequestTooLarge(f"A body of {announced} bytes came; {MOST_BYTES} are the most.")
    body = bytearray()
    try:
        async with asyncio.timeout(COMES_S):
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_BYTES:
                    raise RequestTooLarge(f"More than {MOST_BYTES} bytes came.")
    except (TimeoutError, ClientDisconnect) as error:
        raise RequestError(f"The body did not come within {COMES_S:.0f} s.") from error
    words = bytes(body)
    if len(words) > LONG:
        await asyncio.to_thread(check_words, words)
    else:
        check_words(words)
    return words


def check_words(body: bytes) -> None:
    """Refuse words that would hurt those who read or keep them.

    Raises
    ------
    RequestError
        If arrays and objects lie too deep within each other, or a text has the character 0, which
        PostgreSQL cannot keep.
    """
    if b"\0" in body or b"\\u0000" in body:
        raise RequestError("The character 0 is part of no text.")
    brackets = _TEXTS.sub(b"", body).translate(None, _NO_BRACKETS)
    for _ in range(MOST_DEEP):  # each time, the innermost ones go
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if brackets:
        raise RequestError(f"The body is more than {MOST_DEEP} levels deep, or is not closed.")
