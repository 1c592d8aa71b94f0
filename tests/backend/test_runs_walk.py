import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import encoded_chunks
from napari_hmz.schema import Sizes

COPY = ("copy", "1.0.0")
SMALL: Sizes = {"z": 2, "y": 5, "x": 4}
FIRST_TILES = 4
PATIENCE_S = 20.0


def test_a_volume_goes_through_and_comes_back(user: User) -> None:
    user.announce()
    run = user.start("copy")
    assert run.state == "queued"
    assert run.plan.blocks > 4
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert done.progress.blocks_done == done.plan.blocks
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


def test_an_engine_may_leave_out_what_is_not_used(tmp_path: Path) -> None:
    def copy_used(request: TileRequest) -> dict[str, NDArray[Any]]:
        whole, used = MODELS[COPY](request)["out"], request.used["out"]
        assert [used[axis][2] for axis in SMALL] == list(whole.shape)
        return {"out": whole[tuple(slice(*used[axis][:2]) for axis in SMALL)]}

    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    with LiveBackend(tmp_path, FakeEngine({COPY: copy_used}), CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        run = user.start("copy", block={"z": 8, "y": 12, "x": 16})
        assert user.finish(run.id).state == "done"
        np.testing.assert_array_equal(user.output(run.id, "out"), image)


def test_who_was_told_that_nothing_is_wanted_hears_when_the_run_comes_to_need_more(
    tmp_path: Path,
) -> None:
    tiles = threading.Semaphore(FIRST_TILES)

    def copy(request: TileRequest) -> dict[str, NDArray[Any]]:
        assert tiles.acquire(timeout=PATIENCE_S)
        return dict(MODELS[COPY](request))

    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    bodies = encoded_chunks(image, tuple(SMALL.values()))
    with LiveBackend(tmp_path, FakeEngine({COPY: copy}), CARDS) as live, live.client() as http:
        user = User(http, image, tuple(SMALL.values()))
        user.announce()
        run = user.start("copy", block=SMALL)  # more blocks than are looked at together
        while (wanted := user.wanted(1.0)).keys or not user.get(run.id).progress.blocks_done:
            assert wanted.active
            for key in wanted.keys:
                user.put(key, bodies[key]).raise_for_status()
        assert len(user.sent) < len(bodies)
        with ThreadPoolExecutor() as threads:
            asked = threads.submit(user.wanted, PATIENCE_S)
            tiles.release(len(bodies))
            assert asked.result().keys
