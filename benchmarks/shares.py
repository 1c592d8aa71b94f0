"""Fifty people on one backend: one with a thousand tiles, 49 with one tile each.

Real clients over HTTP, a real backend with real worker processes, and a model whose tile takes a
fixed time. What a one-tile job waits is the time from its start to its end, less what the same job
takes on a backend that has nothing else to do: sending, computing and telling are in both. Once the
49 come at random while the thousand tiles are computed, and once all in the same moment. Then they
also wait for each other, on a backend that has nothing else to do as well: what counts is how much
later they end for the thousand.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_hmz
from benchmarks.figure import Figure
from benchmarks.images import microscopy
from benchmarks.many_people import many_people
from benchmarks.packages import PACED_HALO_PX, PACED_TILE_PX, paced
from napari_hmz.sources import open_source

TILE_S, INSTANCES = 0.3, 8
BLOCK_PX = PACED_TILE_PX - 2 * PACED_HALO_PX
BLOCKS = (10, 10, 10)
PEOPLE = 49
MANY, MANYS = 1000, "many"
WAIT_BAR, THROUGHPUT_BAR = 3.0, 0.95


@dataclass(frozen=True)
class Round:
    """What was measured of one load.

    Parameters
    ----------
    jobs_s
        From start to end of each one-tile job.
    whole_s
        Until everything was done.
    """

    jobs_s: Sequence[float]
    whole_s: float


def figures() -> Iterator[Figure]:
    """Yield the longest waits in tile times, and the throughput beside the unshared one.

    Each as soon as it is known: two times a thousand tiles take a minute and a quarter.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = paced(folder / "paced", TILE_S)
        with many_people(folder / "backend", package, INSTANCES) as url:
            _all_at_once(url, 0)  # so that each worker has loaded the model
            alone_s = statistics.median(_do(url, "alone", _tile(50 + n)) for n in range(9))
            computed_s = MANY * TILE_S / INSTANCES
            at_s = list(np.random.default_rng(7).uniform(0.05, 0.9, PEOPLE) * computed_s)
            spread = _load(url, at_s, 100, everybody=True)
            yield _longest_wait(spread.jobs_s, alone_s)
            yield _later(_all_at_once_beside(url, 400), _all_at_once(url, 300))
            alike = _load(url, at_s, 200, everybody=False)
            yield _throughput(alike.whole_s, spread.whole_s)


def _longest_wait(jobs_s: Sequence[float], alone_s: float) -> Figure:
    waits = sorted((job_s - alone_s) / TILE_S for job_s in jobs_s)
    note = f"{INSTANCES} instances, {TILE_S:g} s a tile; alone a job takes {alone_s:.2f} s"
    return Figure(
        f"{PEOPLE} people with one tile beside {MANY}, at random: longest wait in tile times",
        waits[-1],
        WAIT_BAR,
        "below",
        f"({note}; median {statistics.median(waits):.2f})",
    )


def _later(beside_s: Sequence[float], among_s: Sequence[float]) -> Figure:
    later = [(one - other) / TILE_S for one, other in zip(beside_s, among_s, strict=True)]
    return Figure(
        "the same all at once: how much later they end for the thousand, in tile times",
        max(later),
        WAIT_BAR,
        "below",
        f"(the last after {beside_s[-1]:.1f} s instead of {among_s[-1]:.1f} s)",
    )


def _throughput(alike_s: float, spread_s: float) -> Figure:
    return Figure(
        "throughput: shared by 50 people / all of it one person's",
        alike_s / spread_s,
        THROUGHPUT_BAR,
        "above",
        f"({alike_s:.1f} s / {spread_s:.1f} s)",
    )


def _load(url: str, arrivals_s: Sequence[float], first: int, *, everybody: bool) -> Round:
    """Let one person compute a thousand tiles, and one-tile jobs come beside them.

    Parameters
    ----------
    first
        Makes each image another one, of which nothing is held.
    everybody
        Whether each of those jobs is another person's, else the same one's.
    """
    with _thousand(url, first) as going:
        began_s = time.perf_counter()

        def come(number: int) -> float:
            person = f"person {number}" if everybody else MANYS
            time.sleep(max(0.0, began_s + arrivals_s[number] - time.perf_counter()))
            return _do(url, person, _tile(first + number))

        with ThreadPoolExecutor(len(arrivals_s)) as threads:
            jobs_s = list(threads.map(come, range(len(arrivals_s))))
        going.result()
        return Round(jobs_s, time.perf_counter() - began_s)


def _all_at_once(url: str, first: int) -> list[float]:
    """Let 49 people come in the same moment; return when each was done, the first one first."""
    people = [f"person {number}" for number in range(PEOPLE)]
    tiles = [_tile(first + number) for number in range(PEOPLE)]
    with ThreadPoolExecutor(PEOPLE) as threads:
        return sorted(threads.map(_do, [url] * PEOPLE, people, tiles))


def _all_at_once_beside(url: str, first: int) -> list[float]:
    """Do the same while one person's thousand tiles are computed, and stop those afterwards."""
    with _thousand(url, first) as going, napari_hmz.connect(url, MANYS) as client:
        found = _all_at_once(url, first)
        client.cancel(client.runs()[0].id)
        going.exception()
    return found


@contextmanager
def _thousand(url: str, seed: int) -> Iterator["Future[float]"]:
    """Compute a thousand tiles for one person, by a client in a process of its own.

    The context is entered when they are computed at full speed.
    """
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn) as pool,
        napari_hmz.connect(url, MANYS) as client,
    ):
        known = len(client.runs())
        going = pool.submit(compute_many, url, seed)
        while len(client.runs()) == known or client.runs()[0].progress.blocks_done < INSTANCES:
            time.sleep(TILE_S / 4)  # a benchmark may look
        yield going


def compute_many(url: str, seed: int) -> float:
    """Compute the thousand tiles."""
    return _do(url, MANYS, microscopy(tuple(blocks * BLOCK_PX for blocks in BLOCKS), seed))


def _do(url: str, person: str, image: NDArray[np.uint16]) -> float:
    """Run the model on an image as somebody; return how long that took, in seconds."""
    with napari_hmz.connect(url, person) as client:
        began_s = time.perf_counter()
        client.run("paced", open_source(image, axes=("z", "y", "x"))).wait()
        return time.perf_counter() - began_s


def _tile(number: int) -> NDArray[np.uint16]:
    return microscopy((BLOCK_PX,) * 3, seed=number)
