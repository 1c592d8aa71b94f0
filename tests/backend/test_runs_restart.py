import contextlib
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from scipy import ndimage

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.lone_backend import LoneBackend
from hmz_backend.testing.user import User
from napari_hmz.schema import ChunkDone

CHUNKS = (8, 16, 16)
BLOCK = {"z": 8, "y": 8, "x": 8}
MODELS_USED = ("components", "blended", "copy")


def image() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    noise = np.random.default_rng(8).normal(size=(20, 50, 44))
    smooth = ndimage.gaussian_filter(noise, 1.5)
    return np.asarray(np.where(smooth > 0.1, 255, 40 * (smooth > 0)), np.uint8)


def stored(folder: Path, run: str) -> dict[str, bytes]:
    root = folder / "runs" / run / "outputs"
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def undisturbed(folder: Path) -> dict[str, dict[str, bytes]]:
    found = {}
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        for model in MODELS_USED:
            run = user.finish(user.start(model, block=BLOCK).id)
            assert run.state == "done", run.error
            found[model] = stored(folder, run.id)
    return found


@pytest.mark.parametrize("model", MODELS_USED)
def test_a_killed_backend_goes_on_and_the_bytes_are_the_same(tmp_path: Path, model: str) -> None:
    expected = undisturbed(tmp_path / "calm")[model]
    rng = np.random.default_rng(3)
    folder = tmp_path / "killed"
    run_id, last, kills = "", 0, 0
    seen: set[tuple[str, bool]] = set()
    while True:
        with LoneBackend(folder, delay_s=0.02) as lone, lone.client() as http:
            user = User(http, image(), CHUNKS)
            user.announce()
            run_id = run_id or user.start(model, block=BLOCK).id
            stop = threading.Event()
            feeder = threading.Thread(target=feed, args=(user, stop))
            feeder.start()
            if kills < 4:
                doom = threading.Timer(rng.uniform(0.3, 1.0), lone.kill)
                doom.start()
            try:
                for event in user.events(run_id, last):
                    assert event.number == last + 1
                    last = event.number
                    if isinstance(event, ChunkDone):
                        assert (event.key, event.final) not in seen
                        seen.add((event.key, event.final))
                break
            except httpx.HTTPError:
                kills += 1
            finally:
                stop.set()
                feeder.join()
                if kills >= 4:
                    doom.cancel()
    assert kills >= 1
    assert stored(folder, run_id) == expected
    work = folder / "runs" / run_id / "work"
    if work.exists():  # killed after its last word, before the outputs were on the disk for sure
        with LoneBackend(folder) as lone, lone.client() as http:
            wait_until(lambda: not work.exists())
            assert User(http, image(), CHUNKS).get(run_id).state == "done"
    assert stored(folder, run_id) == expected
    assert not work.exists()


def feed(user: User, stop: threading.Event) -> None:
    with contextlib.suppress(httpx.HTTPError, AssertionError):
        user.feed(stop)


def test_a_stopped_backend_takes_up_without_doing_blocks_again(tmp_path: Path) -> None:
    first, second = FakeEngine(MODELS, delay_s=0.02), FakeEngine(MODELS)
    with LiveBackend(tmp_path, first, CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        run = user.start("components", block=BLOCK)
        with user.feeding():
            wait_until(lambda: user.get(run.id).progress.blocks_done > 20)
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 5
    with LiveBackend(tmp_path, second, CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        done = user.finish(run.id)
        assert done.state == "done", done.error
        again = len(first.requests) + len(second.requests) - run.plan.blocks
        assert 0 <= again <= 8  # those that were in the air
        expected, count = ndimage.label(image() > 230, np.ones((3, 3, 3)))
        assert done.results[0].objects == count
        np.testing.assert_array_equal(user.output(run.id, "labels"), expected)


@pytest.mark.parametrize("model", MODELS_USED)
def test_files_torn_by_a_loss_of_power_are_made_again(tmp_path: Path, model: str) -> None:
    expected = undisturbed(tmp_path / "calm")[model]
    folder = tmp_path / "torn"
    slow = LiveBackend(folder, FakeEngine(MODELS, delay_s=0.02), CARDS)
    with slow, slow.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        run = user.start(model, block=BLOCK)
        with user.feeding():
            wait_until(lambda: user.get(run.id).progress.blocks_done > 40)
    files = sorted(path for path in (folder / "runs" / run.id).rglob("*") if path.is_file())
    data = [path for path in files if path.suffix != ".json"]
    for path in data[::5]:
        path.write_bytes(path.read_bytes()[:-20])
    for path in data[2::7]:
        path.unlink(missing_ok=True)
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        done = user.finish(run.id)
        assert done.state == "done", done.error
    assert stored(folder, run.id) == expected
