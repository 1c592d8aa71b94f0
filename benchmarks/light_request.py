"""A light request while a large run goes: how long `GET /v1/models` takes, seen from outside.

The asking is done by a process of its own, which has nothing else to do: what it waits for is the
backend, not the client that sends and fetches the run's chunks meanwhile.
"""

import http.client
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import numpy as np

from benchmarks.figure import Figure
from benchmarks.images import microscopy
from benchmarks.packages import do_nothing
from benchmarks.service import Service, service
from napari_hmz.schema import wire
from napari_hmz.sources import open_source

BAR_MS = 100.0
SHAPE = (384, 768, 768)
PAUSE_S = 0.02
PERCENTILE = 99


def figures() -> Iterator[Figure]:
    """Yield the 99th percentile of the answers' times in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder, [do_nothing(folder / "do-nothing")]) as running:
            stolen_s = _stolen_s()
            times_ms = _asked_meanwhile(running, folder / "output.zarr")
            stolen_s = _stolen_s() - stolen_s
    middle, slow, slowest = np.percentile(times_ms, [50, PERCENTILE, 100])
    note = f"({len(times_ms)} requests; median {middle:.1f} ms, slowest {slowest:.0f} ms;"
    note += f" the machine's host gave others {stolen_s:.1f} s)"
    yield Figure("GET /v1/models during a large run, p99 in ms", slow, BAR_MS, "below", note)


def _asked_meanwhile(running: Service, output: Path) -> list[float]:
    image = microscopy(SHAPE)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(1, context) as pool:
        over = manager.Event()
        asking = pool.submit(ask, running.url, running.token, over)
        try:
            run = running.client.run(
                "do-nothing", open_source(image, axes=("z", "y", "x")), output=output
            )
            run.wait()
        finally:
            over.set()
        return asking.result()


def _stolen_s() -> float:
    """Return how long processors were wanted here, and the host ran others; 0: it does not say."""
    try:
        words = Path("/proc/stat").read_text().split()
    except FileNotFoundError:  # not Linux
        return 0.0
    return float(words[8]) / os.sysconf("SC_CLK_TCK")


def ask(url: str, token: str, over: Event) -> list[float]:
    """Ask for the models again and again; return how long each answer took, in milliseconds."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    times_ms = []
    while not over.is_set():
        started_s = time.perf_counter()
        connection.request("GET", wire.MODELS, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        times_ms.append(1000 * (time.perf_counter() - started_s))
        if answer.status != http.client.OK:
            raise RuntimeError(f"the backend answered {answer.status}")
        time.sleep(PAUSE_S)  # a person does not ask more often
    return times_ms
