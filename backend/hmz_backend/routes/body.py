"""Reading a body of bytes, never further than it may go."""

import asyncio

from fastapi import Request

from napari_hmz.errors import ChunkTooLarge, DigestMismatch
from napari_hmz.schema.digest import digest_fits


async def read_body(request: Request, limit_bytes: int, digest: str | None) -> bytes:
    """Return the body of a request.

    Raises
    ------
    ChunkTooLarge
        As soon as more than `limit_bytes` are announced or have come.
    DigestMismatch
        If the body does not have the digest that came with it.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise ChunkTooLarge(f"A body of {announced} bytes came; {limit_bytes} are the most.")
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            raise ChunkTooLarge(f"More than {limit_bytes} bytes came.")
        parts.append(part)
    body = b"".join(parts)
    if not await asyncio.to_thread(digest_fits, digest, body):
        raise DigestMismatch("The body does not have the digest that came with it.")
    return body
