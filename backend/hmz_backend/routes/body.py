"""Reading a body of bytes, never further than it may go."""

import asyncio
from typing import Final

from fastapi import Request

from napari_hmz.errors import ChunkTooLarge, RequestError

COMES_S: Final = 600.0
"""How long a body may take to come: a chunk of 64 MiB over a line of 1 Mbit/s."""


def most_bytes(request: Request, limit_bytes: int) -> int:
    """Return how long a body can be: as was announced, else as long as it may be.

    Raises
    ------
    ChunkTooLarge
        If more than `limit_bytes` are announced.
    """
    announced = request.headers.get("content-length", "")
    if not (announced.isascii() and announced.isdigit()):
        return limit_bytes
    if int(announced) > limit_bytes:
        raise ChunkTooLarge(f"A body of {announced} bytes came; {limit_bytes} are the most.")
    return int(announced)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the body of a request.

    Raises
    ------
    ChunkTooLarge
        As soon as more than `limit_bytes` have come.
    RequestError
        If it does not come in time.
    """
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(COMES_S):
            async for part in request.stream():
                size += len(part)
                if size > limit_bytes:
                    raise ChunkTooLarge(f"More than {limit_bytes} bytes came.")
                parts.append(part)
    except TimeoutError as error:
        raise RequestError(f"The body did not come within {COMES_S:.0f} s.") from error
    return b"".join(parts)
