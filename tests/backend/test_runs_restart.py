import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from scipy import ndimage

from hmz_backend.runs.state import StateKeeper
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.lone_backend import LoneBackend
from hmz_backend.testing.user import User
from napari_hmz.errors import DiskFull
from napari_hmz.schema import ChunkDone, wire

CHUNKS = (8, 16, 16)
BLOCK = {"z": 8, "y": 8, "x": 8}
NEVER_S = 3600.0
MODELS_USED = ("components", "blended", "copy", "bright")


def image() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    noise = np.random.default_rng(8).normal(size=(20, 50, 44))
    smooth = ndimage.gaussian_filter(noise, 1.5)
    return np.asarray(np.where(smooth > 0.1, 255, 40 * (smooth > 0)), np.uint8)


def stored(folder: Path, run: str) -> dict[str, bytes]:
    root = folder / "runs" / run / "outputs"
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What a run of each model stores if nothing happens to it."""
    folder = tmp_path_factory.mktemp("calm")
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
def test_a_killed_backend_goes_on_and_the_bytes_are_the_same(
    tmp_path: Path, model: str, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    expected = undisturbed[model]
    rng = np.random.default_rng(3)
    folder = tmp_path / "killed"
    run_id, last, kills = "", 0, 0
    seen: set[tuple[str, bool]] = set()
    while True:
        with LoneBackend(folder, delay_s=0.05) as lone, lone.client() as http:
            user = User(http, image(), CHUNKS)
            user.announce()
            run_id = run_id or user.start(model, block=BLOCK).id
            stop = threading.Event()
            feeder = threading.Thread(target=feed, args=(user, stop))
            feeder.start()
            doom = threading.Timer(rng.uniform(0.2, 0.8) if kills < 4 else NEVER_S, lone.kill)
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
                doom.cancel()  # of a run that was faster than its end
                feeder.join()
                doom.join()
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


def cut(body: bytes) -> bytes:
    return body[:-20]


def blank(body: bytes) -> bytes:
    """A page that never reached the disk: the file has its length, and zeros."""
    return body[: len(body) // 2] + bytes(len(body) - len(body) // 2)


def interrupted(folder: Path, model: str, copy_at: int | None = None) -> str:
    """Leave a run in the middle; with `copy_at`, keep the database as it was after some blocks."""
    slow = LiveBackend(folder, FakeEngine(MODELS, delay_s=0.02), CARDS)
    with slow, slow.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        run = user.start(model, block=BLOCK)
        with user.feeding():
            if copy_at is not None:
                wait_until(lambda: user.get(run.id).progress.blocks_done > copy_at)
                with sqlite3.connect(folder / "backend.sqlite") as now:
                    now.execute("VACUUM INTO ?", (str(folder / "earlier"),))
                now.close()
            wait_until(lambda: user.get(run.id).progress.blocks_done > 60)
    return run.id


def taken_up(folder: Path, run: str) -> None:
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        done = user.finish(run)
        assert done.state == "done", done.error
        assert list(user.events(run, 10**6))[-1].kind == "state"  # a number of before the loss


@pytest.mark.parametrize("spoil", [cut, blank])
@pytest.mark.parametrize("model", MODELS_USED)
def test_files_torn_by_a_loss_of_power_are_made_again(
    tmp_path: Path,
    model: str,
    spoil: Callable[[bytes], bytes],
    undisturbed: dict[str, dict[str, bytes]],
) -> None:
    expected = undisturbed[model]
    folder = tmp_path / "torn"
    run = interrupted(folder, model)
    files = sorted(path for path in (folder / "runs" / run).rglob("*") if path.is_file())
    kept = {".json", ".log"}  # a log is on the disk before anything relies on what it says
    data = [path for path in files if path.suffix not in kept]
    for path in data[::5]:
        path.write_bytes(spoil(path.read_bytes()))
    for path in data[2::7]:
        path.unlink(missing_ok=True)
    for path in files:
        if path.name in {"brief.json", "zarr.json"}:
            path.write_bytes(spoil(path.read_bytes()))
    taken_up(folder, run)
    assert stored(folder, run) == expected


@pytest.mark.parametrize("model", MODELS_USED)
def test_a_database_of_an_earlier_moment_costs_blocks_and_no_voxel(
    tmp_path: Path, model: str, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    expected = undisturbed[model]
    folder = tmp_path / "back"
    run = interrupted(folder, model, copy_at=15)
    for path in folder.glob("backend.sqlite*"):
        path.unlink()
    (folder / "earlier").rename(folder / "backend.sqlite")
    taken_up(folder, run)
    assert stored(folder, run) == expected


def test_a_run_that_was_done_is_looked_at_if_it_may_not_have_reached_the_disk(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        runs = [user.finish(user.start("copy", block=BLOCK).id).id for _ in range(2)]
    expected = stored(folder, runs[0])
    for run in runs:
        (folder / "runs" / run / "outputs" / "out" / "c" / "1" / "2" / "3").write_bytes(b"torn")
    (folder / "runs" / runs[0] / "work").mkdir()  # as before its outputs were synced
    taken_up(folder, runs[0])
    assert stored(folder, runs[0]) == expected
    assert not (folder / "runs" / runs[0] / "work").exists()
    assert stored(folder, runs[1]) != expected  # settled: never looked at again


def test_a_run_that_goes_on_after_its_end_says_so_before_anyone_asks(tmp_path: Path) -> None:
    """Or its client takes it for done, and does not send what was lost of the image.

    Its outputs have their documents by then: a client reads them first.
    """
    folder = tmp_path / "data"
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        runs = [user.finish(user.start("copy", block=BLOCK).id).id for _ in range(2)]
    expected = stored(folder, runs[0])
    documents = [folder / "runs" / run / "outputs" / "out" / "zarr.json" for run in runs]
    told = [document.read_bytes() for document in documents]
    documents[0].write_bytes(cut(told[0]))
    documents[1].unlink()
    for run in runs:  # as a loss of power leaves it before the outputs were synced
        (folder / "runs" / run / "work").mkdir()
        (folder / "runs" / run / "outputs" / "out" / "c" / "1" / "2" / "3").unlink()
    for chunk in (folder / "volumes").rglob("c/*/*/*"):
        chunk.write_bytes(cut(chunk.read_bytes()))
    changes = {"runs_at_once": 1}  # the second waits behind the first, which waits for its image
    again = LiveBackend(folder, FakeEngine(MODELS), CARDS, changes)
    with again, again.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        assert [user.get(run).state == "done" for run in runs] == [False, False]
        assert user.get(runs[1]).results == ()
        answers = [http.get(wire.output(run, "out", "zarr.json")) for run in runs]
        assert [answer.content for answer in answers] == told
        assert [user.finish(run).state for run in runs] == ["done", "done"]
    assert [stored(folder, run) for run in runs] == [expected] * 2


def test_a_full_disk_does_not_keep_the_backend_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        user = User(http, image(), CHUNKS)
        user.announce()
        run = user.finish(user.start("copy", block=BLOCK).id).id
    (folder / "runs" / run / "work").mkdir()

    async def full(_: StateKeeper, by: object) -> None:
        raise DiskFull

    monkeypatch.setattr(StateKeeper, "queue_again", full)
    taken_up(folder, run)
    assert not (folder / "runs" / run / "work").exists()
