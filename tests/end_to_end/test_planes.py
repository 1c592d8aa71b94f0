"""An image stored plane by plane goes through a run, and its planes are decoded once to be sent."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from napari_hmz.client import connect
from napari_hmz.schema import Sizes

SHAPE = (48, 1024, 1024)
BLOCK: Sizes = {"z": 40, "y": 252, "x": 252}


def plane(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, SHAPE[1:], dtype=np.uint8)


def test_planes_are_decoded_once_to_be_sent_whatever_the_order_of_the_tiles(
    tmp_path: Path, state: Path
) -> None:
    decoded: Counter[int] = Counter()
    lock = threading.Lock()

    def decode(block_info: Any = None) -> NDArray[np.uint8]:  # noqa: ANN401 # dask's own
        number = block_info[None]["chunk-location"][0]
        with lock:
            decoded[number] += 1
        return plane(number)[np.newaxis]

    chunks = ((1,) * SHAPE[0], SHAPE[1:2], SHAPE[2:])
    stack = da.map_blocks(decode, chunks=chunks, dtype=np.uint8)
    budget = 64 * 2**20  # ten planes a slab, three of which may be held
    with (
        LiveBackend(tmp_path / "backend", FakeEngine(MODELS), CARDS) as backend,
        connect(backend.url, TOKEN, state_dir=state, memory_budget_bytes=budget) as client,
    ):
        run = client.run("copy", stack, block=BLOCK, output=tmp_path / "out.zarr")
        run.wait()
        result = run.array("out")
        for number in (0, 20, SHAPE[0] - 1):
            np.testing.assert_array_equal(result[number], plane(number))
    assert set(decoded) == set(range(SHAPE[0]))
    # once to be measured, once to be sent; a thread that was held up may find its plane gone
    assert max(decoded.values()) <= 3
    assert decoded.total() <= 2.1 * SHAPE[0]
