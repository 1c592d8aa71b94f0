"""Triton's HTTP side on paper: it answers as Triton does, and computes nothing."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import StreamReader

from hmz_backend.engines.triton_http import Reply, TritonHttp
from hmz_backend.kserve.request import LENGTH_HEADER


@dataclass(frozen=True, slots=True)
class PaperReply(Reply):
    """An answer that is here already."""

    text: bytes = b""

    async def fault(self) -> str:
        """Return nothing: it is a good one."""
        return ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the answer."""
        yield self.text


class PaperTriton(TritonHttp):
    """Answers as Triton does, and computes nothing."""

    def __init__(self) -> None:
        super().__init__(())

    async def describe(self, name: str, what: str = "") -> dict[str, Any]:  # noqa: ARG002 # as there
        """Return some metadata."""
        return {"name": name, "platform": "python", "inputs": [], "outputs": []}

    @asynccontextmanager
    async def infer(
        self,
        name: str,
        headers: Any,  # noqa: ANN401, ARG002 # as there, as those below
        body: Any,  # noqa: ANN401
        *,
        timeout_s: float,  # noqa: ARG002
    ) -> AsyncIterator[Reply]:
        """Read the body, and answer without tensors."""
        if not isinstance(body, bytes):
            async for _ in body:
                pass
        text = json.dumps({"model_name": name, "model_version": "1", "outputs": []}).encode()
        said = {LENGTH_HEADER: str(len(text)), "Content-Length": str(len(text))}
        nothing: StreamReader = None  # type: ignore[assignment] # read by what is replaced above
        yield PaperReply(200, said, nothing, text)

    async def load(self, name: str) -> None:
        """Do nothing."""
