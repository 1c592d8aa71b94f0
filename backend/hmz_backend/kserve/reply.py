"""Triton's answer on its way to the caller: its words name the model as the caller knows it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hmz_backend.engines.triton_http import Reply
from hmz_backend.kserve.request import LENGTH_HEADER, MOST_HEADER_BYTES
from napari_hmz.errors import EngineFailed
from napari_hmz.schema import ModelCard


class PassedOn(Response):
    """Sends an answer while it comes; what it comes from is closed with it.

    Parameters
    ----------
    asked
        Begins the request.
    card
        Of the model.
    """

    def __init__(
        self, asked: Callable[[], AbstractAsyncContextManager[Reply]], card: ModelCard
    ) -> None:
        super().__init__()
        self._asked = asked
        self._card = card

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 # ASGI
        """Answer the request."""
        async with self._asked() as reply:
            pieces = reply.pieces()
            words, rest, was_bytes = await _words(reply, pieces)
            named = self._named(words)
            headers = {"content-type": reply.headers.get("Content-Type", "application/json")}
            if was_bytes is not None:
                headers[LENGTH_HEADER.lower()] = str(len(named))
                if (length := reply.headers.get("Content-Length")) is not None:
                    headers["content-length"] = str(int(length) - was_bytes + len(named))
            start = {"type": "http.response.start", "status": reply.status}
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await send({**start, "headers": raw})
            await send({"type": "http.response.body", "body": named + rest, "more_body": True})
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _named(self, words: bytes) -> bytes:
        """Return the answer's words with the caller's name of the model."""
        document = json.loads(words)
        document.update(model_name=self._card.id, model_version=self._card.version)
        return json.dumps(document, separators=(",", ":")).encode()


async def _words(reply: Reply, pieces: AsyncIterator[bytes]) -> "tuple[bytes, bytes, int | None]":
    """Return the JSON of an answer, what has come after it, and its length if it was said."""
    said = reply.headers.get(LENGTH_HEADER)
    read = bytearray()
    if said is None:  # no binary tensors: all of it is words
        async for piece in pieces:
            read += piece
        return bytes(read), b"", None
    length = int(said)
    if length > MOST_HEADER_BYTES:
        raise EngineFailed("The model's answer has more words than can be passed on.")
    async for piece in pieces:
        read += piece
        if len(read) >= length:
            break
    return bytes(read[:length]), bytes(read[length:]), length
