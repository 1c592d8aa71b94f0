"""Several Triton servers behind one engine: a fake in place of Triton's client."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hmz_backend.engines import triton
from hmz_backend.engines.protocol import TileRequest

FAST, SLOW = "fast.example:8001", "slow.example:8001"
DELAY_S = {FAST: 0.01, SLOW: 0.1}


class Client:
    """What the engine uses of Triton's client; a tile takes as long as its server is slow."""

    def __init__(self, url: str, done: dict[str, int]) -> None:
        self.url, self.done = url, done

    async def is_model_ready(self, _name: str) -> bool:
        return True

    async def get_model_config(self, _name: str, *, as_json: bool) -> dict[str, Any]:
        assert as_json
        return {"config": {"instance_group": [{"count": 2}]}}

    async def infer(self, *_: object, **__: object) -> SimpleNamespace:
        await asyncio.sleep(DELAY_S[self.url])
        self.done[self.url] = self.done.get(self.url, 0) + 1
        return SimpleNamespace(get_response=lambda: SimpleNamespace(outputs=[]))

    async def close(self) -> None:
        """Nothing is open."""


def test_the_least_loaded_server_takes_the_next_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    done: dict[str, int] = {}
    monkeypatch.setattr(triton, "InferenceServerClient", lambda url: Client(url, done))

    async def play() -> None:
        engine = triton.TritonEngine([SLOW, FAST])
        assert (await engine.describe("m", "1")).instances == 4
        window = asyncio.Semaphore(4)
        request = TileRequest("m", "1", {"image": np.zeros((2, 2), np.uint8)}, {})

        async def one() -> None:
            async with window:
                await engine.infer(request, timeout_s=5)

        await asyncio.gather(*(one() for _ in range(40)))
        await engine.close()

    asyncio.run(play())
    assert done[FAST] + done[SLOW] == 40
    assert done[FAST] > 2 * done[SLOW]


def test_only_servers_of_this_machine_share_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "InferenceServerClient", lambda url: Client(url, {}))
    for url, shares in (
        ("127.0.0.1:8001", True),
        ("localhost:8001", True),
        ("[::1]:8001", True),
        (FAST, False),
        ("10.0.0.1:8001", False),
    ):
        made = triton.TritonEngine([url])._made(url)
        assert (made.tiles is not None) is shares, url
