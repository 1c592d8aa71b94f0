"""What travels beside the pixels of a tile, as JSON: parameters, statistics and more; failures."""

import json

from hmz_backend.engines.protocol import TileRequest
from napari_hmz.errors import EngineFailed

WORDS = "hmz_request"
"""Name of the Triton input that carries the JSON text."""
KIND = "hmz_kind"
"""Parameter of a Triton model: `bls` if its network is a Triton model of its own."""
FAILED = "hmz-tile-failed:"
"""What a served model's own failures begin with, so that they are told from Triton's."""


def words_of(request: TileRequest) -> str:
    """Return parameters, statistics, origin and what is used as JSON, the same for every engine."""
    return json.dumps(
        {
            "parameters": dict(request.parameters),
            "statistics": _statistics(request),
            "origin": dict(request.origin),
            "used": {name: dict(part) for name, part in request.used.items()},
        }
    )


def _statistics(request: TileRequest) -> dict[str, object] | None:
    """Return the statistics of the first input, and below `inputs` those of the others."""
    first, more = request.statistics, request.more_statistics
    if first is None and not more:
        return None
    told: dict[str, object] = {} if first is None else json.loads(first.model_dump_json())
    if more:
        told["inputs"] = {n: json.loads(each.model_dump_json()) for n, each in more.items()}
    return told


def tile_failed(request: TileRequest, tensor: str, cause: str) -> EngineFailed:
    """Make the error of a tile that the model could not compute."""
    place = f" at tensor '{tensor}'" if tensor else ""
    return EngineFailed(f"{request.model} {request.version} failed{place}: {cause}.")
