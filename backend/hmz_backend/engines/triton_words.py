"""What Triton says when something goes wrong, and what it means to us: pure functions of its words.

Triton tells most of it in English sentences only; those of 2.51 stand here.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.engines.words import FAILED, tile_failed
from napari_hmz.errors import EngineBusy, EngineFailed, EngineUnavailable, HmzError, RequestError

REACHED: Final = "StatusCode.UNAVAILABLE"
LATE: Final = "StatusCode.DEADLINE_EXCEEDED"
CANCELLED: Final = "StatusCode.CANCELLED"
UNFIT: Final = "StatusCode.INVALID_ARGUMENT"
LOST_MODEL: Final = ("Stub process", "is not healthy", "not ready", "unexpected exit")
"""A model process has died; Triton never starts another."""
NO_MODEL: Final = ("unknown model", "is not found", "is not ready", "has no available versions")
FULL: Final = ("maximum queue size",)
NO_REGION: Final = ("Unable to find shared memory region",)
REGION_IN_USE: Final = ("currently in use",)
RESULT_TOO_LARGE: Final = ("shared memory size specified",)


def says(error: Any, words: Sequence[str]) -> bool:  # noqa: ANN401 # Triton's error is untyped
    """Return whether Triton's message holds one of these words."""
    return holds(str(error.message() or ""), words)


def holds(message: str, words: Sequence[str]) -> bool:
    """Return whether a message of Triton holds one of these words."""
    return any(word in message for word in words)


def first_line(error: Any) -> str:  # noqa: ANN401 # as above
    """Return what a reader needs of Triton's message."""
    return first_words(str(error.message() or "no reason given"))


def first_words(message: str) -> str:
    """Return what a reader needs of a message of Triton."""
    line = message.strip().splitlines()[0]
    return line.removeprefix("[request id: <id_unknown>] ").rstrip(".;")[:500]


def unreachable(url: str) -> EngineUnavailable:
    """Return the error of a server that does not answer."""
    return EngineUnavailable(f"Triton at {url} cannot be reached.")


def meaning(error: Any, url: str, request: TileRequest) -> HmzError:  # noqa: ANN401 # as above
    """Return our error for a tile that Triton at `url` did not compute."""
    message, status = str(error.message() or ""), error.status()
    if FAILED in message:
        document = message.partition(FAILED)[2]
        words = json.JSONDecoder().raw_decode(document)[0]
        return tile_failed(request, words["tensor"], words["cause"])
    if status in (LATE, CANCELLED):
        return EngineBusy(f"Triton at {url} did not answer in time.")
    if says(error, FULL) or says(error, LOST_MODEL):
        return EngineBusy(f"Triton at {url}: {first_line(error)}.")
    if status == REACHED:
        return unreachable(url)
    if status == UNFIT:
        tensor = next((n for n in request.inputs if f"'{n}" in message), "")
        return tile_failed(request, tensor, first_line(error))
    return EngineFailed(f"{request.model} {request.version} failed in Triton: {first_line(error)}.")


def http_meaning(message: str, model: str) -> HmzError:
    """Return our error for a request that was passed on to Triton, and that it has not computed."""
    if FAILED in message:
        words = json.JSONDecoder().raw_decode(message.partition(FAILED)[2])[0]
        place = f" at tensor '{words['tensor']}'" if words["tensor"] else ""
        return EngineFailed(f"{model} failed{place}: {words['cause']}.")
    if holds(message, FULL) or holds(message, LOST_MODEL):
        return EngineBusy(f"Triton: {first_words(message)}.")
    return RequestError(f"Triton refuses the request: {first_words(message or 'no reason given')}.")
