"""`/v2` against bare Triton's HTTP: 4 MiB in, 8 MiB out, the same requests, as many at once.

The stock `tritonclient.http` asks both, with one client per thread. Through the backend each
request is signed in, checked, and given its fair turn. Both take turns, and the best round of each
counts.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as stock
from tritonclient._plugin import InferenceServerClientPlugin

from benchmarks.figure import Figure
from benchmarks.packages import do_nothing
from benchmarks.service import service
from hmz_backend.engines.triton_name import triton_name

TILE_PX = 128
AT_ONCE = 4
REQUESTS, ROUNDS = 60, 4
MODEL, VERSION = "do-nothing", "1.0.0"


class Signed(InferenceServerClientPlugin):  # type: ignore[misc] # Triton's client is untyped
    """Puts a token into every request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> None:  # noqa: ANN401 # as above
        """Sign one request."""
        request.headers["Authorization"] = f"Bearer {self._token}"


def figures() -> Iterator[Figure]:
    """Yield the ratio of the two."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder, [do_nothing(folder / MODEL)]) as running:
            backend = running.url, MODEL, running.token
            triton = running.triton.http_url, triton_name(MODEL, VERSION), ""
            _round(*backend, requests=AT_ONCE)  # loads the model: neither side pays for that
            rounds = [(_round(*triton), _round(*backend)) for _ in range(ROUNDS)]
    bare, through = (min(column) for column in zip(*rounds, strict=True))
    note = f"({REQUESTS} requests, {AT_ONCE} at once; {bare:.2f} s / {through:.2f} s)"
    what = "infer of 4 MiB over /v2: speed / bare Triton over HTTP"
    yield Figure(what, bare / through, 0.7, "above", note)


def _round(url: str, model: str, token: str, requests: int = REQUESTS) -> float:
    share = partial(_share, url, model, token)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = time.perf_counter()
        list(pool.map(share, [requests // AT_ONCE] * AT_ONCE))
        return time.perf_counter() - started


def _share(url: str, model: str, token: str, requests: int) -> None:
    image = np.random.default_rng(0).integers(0, 4096, [TILE_PX] * 3).astype(np.uint16)
    # A client belongs to the thread that makes it.
    with stock.InferenceServerClient(url.removeprefix("http://")) as client:
        if token:
            client.register_plugin(Signed(token))
        for _ in range(requests):
            tensor = stock.InferInput("image_uint16", list(image.shape), "UINT16")
            tensor.set_data_from_numpy(image)
            found = client.infer(model, [tensor]).as_numpy("copy")
            if found.shape != image.shape:
                raise ValueError(f"{model} gave {found.shape}")
