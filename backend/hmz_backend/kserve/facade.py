"""What a caller of KServe's v2 protocol reaches: models by their id, tiles one at a time.

```
body read (bounded) → fair turn for the engine → Triton's HTTP side → answer passed on as it comes
```

A place at the engine is taken once the body is here: a slow caller holds memory, and no engine.
Only a body that is too large to be held takes its place first, and has a limited time to come.
Runs on the event loop.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from hmz_backend.dispatch.dispatcher import Dispatcher
from hmz_backend.dispatch.weights import Weights
from hmz_backend.dispatch.window import Window
from hmz_backend.engines.triton_http import OK, Reply, TritonHttp
from hmz_backend.engines.triton_name import triton_name
from hmz_backend.engines.triton_words import NO_MODEL, holds, http_meaning
from hmz_backend.identity.protocol import Principal
from hmz_backend.kserve.accounting import Accounting, Call
from hmz_backend.kserve.request import LENGTH_HEADER, Inference
from hmz_backend.planning.estimate import rescaled, tile_memory_bytes
from hmz_backend.shares.turn import Holder, Turn
from hmz_backend.shares.two_classes import TwoClasses
from hmz_backend.watch.traces import passed_on
from napari_hmz.errors import EngineBusy, LimitReached, PlanImpossible, RequestError
from napari_hmz.schema import ModelCard

BODIES = 16
"""How many bodies are held at once; others are not read until one of them is done."""
BODIES_EACH = 4
"""How many of them may be one person's, however few others ask."""
HELD_BYTES = 32 * 2**20
"""A longer body passes through in pieces."""
BODY_S = 60.0
"""How long a held body may take to come: whoever is slow keeps a place that others need."""
MOST_WAITING = 256
"""Requests that are not answered yet, beside those whose bodies are held."""
MOST_WAITING_EACH = 64
"""The same of one person."""
CONFIGURATION = frozenset({"name", "platform", "backend", "max_batch_size", "input", "output"})
"""What a caller is told of a model's configuration: no folders, no instances, no parameters."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request after its words.

    Parameters
    ----------
    length
        In bytes.
    pieces
        The bytes as they come.
    """

    length: int
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Facade:
    """Passes inference requests on to Triton.

    Parameters
    ----------
    triton
        Its HTTP side.
    dispatcher
        Whose windows are shared with the tiles of runs.
    weights
        Of people's shares.
    memory_budget_bytes
        What one request may take at the engine, by the card's figure.
    accounting
        Is told who has asked what, and how it ended.
    """

    triton: TritonHttp
    dispatcher: Dispatcher
    weights: Weights
    memory_budget_bytes: int
    accounting: Accounting
    _bodies: Window = field(
        default_factory=lambda: Window(BODIES, TwoClasses(evenly=True, most_voxels=BODIES_EACH))
    )
    _asking: Counter[Holder] = field(default_factory=Counter)

    async def metadata(self, card: ModelCard) -> dict[str, Any]:
        """Return names, data types and shapes of a model's inputs and outputs."""
        found = await self.triton.describe(await self._loaded(card))
        return {**found, "name": card.id, "versions": [card.version]}

    async def configuration(self, card: ModelCard) -> dict[str, Any]:
        """Return what callers may know of a model's configuration."""
        found = await self.triton.describe(await self._loaded(card), "/config")
        known = {key: value for key, value in found.items() if key in CONFIGURATION}
        return {**known, "name": card.id}

    @asynccontextmanager
    async def infer(
        self, card: ModelCard, caller: Principal, asked: Inference, body: Body
    ) -> AsyncIterator[Reply]:
        """Compute one tile, and write down that it was.

        Raises
        ------
        PlanImpossible
            If the tile takes more memory than one may.
        EngineBusy, EngineUnavailable
            If the engine does not answer.
        LimitReached
            If too many requests of this person are under way.
        """
        with self.accounting.of(caller, card) as call:
            async with self._computed(card, caller, asked, body, call) as reply:
                yield reply

    @asynccontextmanager
    async def _computed(
        self, card: ModelCard, caller: Principal, asked: Inference, body: Body, call: Call
    ) -> AsyncIterator[Reply]:
        self._check_size(card, asked)
        await self._loaded(card)
        turn = Turn(self.weights.share(caller), voxels=asked.voxels)
        headers = {
            LENGTH_HEADER: str(len(asked.words)),
            "Content-Length": str(len(asked.words) + body.length),
            "Content-Type": "application/octet-stream",
            "Accept-Encoding": "identity",  # Triton would pack what has to pass quickly
        }
        with self._counted(turn.share.holder):
            async with self._bodies.place(Turn(turn.share)):
                sent = await _held(asked, body) or _passing(asked, body)
                async with (
                    self.dispatcher.place(card.id, card.version, turn) as call.stay,
                    self._answered(card, headers, sent) as reply,
                ):
                    call.answered(
                        voxels=asked.voxels,
                        bytes_up=len(asked.words) + body.length,
                        bytes_down=int(reply.headers.get("Content-Length", 0)),
                    )
                    yield reply

    @contextmanager
    def _counted(self, holder: Holder) -> Iterator[None]:
        """Count a request until it is answered."""
        if self._bodies.waiting >= MOST_WAITING:
            raise EngineBusy("Too many requests wait for the engine.")
        if self._asking[holder] >= MOST_WAITING_EACH + BODIES_EACH:
            raise LimitReached(
                f"{self._asking[holder]} of your requests are under way here already.",
                remedy="Send fewer at once.",
            )
        self._asking[holder] += 1
        try:
            yield
        finally:
            self._asking[holder] -= 1
            if not self._asking[holder]:
                del self._asking[holder]

    @asynccontextmanager
    async def _answered(
        self, card: ModelCard, headers: Mapping[str, str], body: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[Reply]:
        name, fault = triton_name(card.id, card.version), ""
        headers = {**headers, **passed_on()}
        for is_last in (not isinstance(body, bytes), True):
            async with self.triton.infer(
                name, headers, body, timeout_s=self.dispatcher.timeout_s
            ) as reply:
                if reply.status == OK:
                    yield reply
                    return
                fault = await reply.fault()
            if is_last or not holds(fault, NO_MODEL):
                break
            await self.triton.load(name)  # Triton is another process than before
        raise http_meaning(fault, f"{card.id} {card.version}")

    def _check_size(self, card: ModelCard, asked: Inference) -> None:
        needed = tile_memory_bytes(rescaled(card, asked.parameters).tile, asked.voxels)
        if needed > self.memory_budget_bytes:
            raise PlanImpossible(
                f"A tile of {asked.voxels} voxels takes {needed / 2**20:.0f} MiB with these "
                f"parameters; the backend has {self.memory_budget_bytes / 2**20:.0f} MiB.",
                remedy="Send smaller tiles, or the whole image as a run: the backend cuts it.",
            )

    async def _loaded(self, card: ModelCard) -> str:
        await self.dispatcher.ready(card.id, card.version)
        return triton_name(card.id, card.version)


async def _held(asked: Inference, body: Body) -> bytes | None:
    """Return the whole body if it may be held, its words first.

    Raises
    ------
    RequestError
        If it does not come in time.
    """
    if body.length > HELD_BYTES:
        return None
    try:
        async with asyncio.timeout(BODY_S):
            return b"".join([asked.words, *[piece async for piece in body.pieces]])
    except TimeoutError as error:
        raise RequestError(f"The body did not come within {BODY_S:.0f} s.") from error


async def _passing(asked: Inference, body: Body) -> AsyncIterator[bytes]:
    yield asked.words
    async for piece in body.pieces:
        yield piece
