"""How full the link is: bytes that travel against what it could carry, at three distances.

A proxy on loopback delays and limits what the client sends and fetches; behind it is a backend
process whose engine copies its tiles, so that the link is the wall. The volume is noise that no
codec makes smaller. Up is timed from the start of the run to the last chunk; down from the start of
fetching a finished run to its last chunk: finding out how long the link is, and the slow start of
its connections, are inside.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import napari_hmz
from benchmarks.figure import Figure
from hmz_backend.testing.live_backend import TOKEN
from hmz_backend.testing.lone_backend import LoneBackend
from napari_hmz.client import Client
from napari_hmz.schema import Sizes
from napari_hmz.sources import open_source
from napari_hmz.testing.slow_link import SlowLink

MBIT_PER_S = 200
DISTANCES_MS = (0, 20, 100)
SHAPE = (384, 832, 832)
BLOCK: Sizes = {"z": 120, "y": 120, "x": 120}
BAR = 0.9
PATIENCE_S = 300.0


def figures() -> Iterator[Figure]:
    """Yield the part of the link's rate that a run uses, up and down, at each distance."""
    rate = MBIT_PER_S * 1e6 / 8
    with tempfile.TemporaryDirectory() as name, LoneBackend(Path(name, "backend")) as backend:
        for rtt_ms in DISTANCES_MS:
            with (
                SlowLink(backend.url, rtt_s=rtt_ms / 1000, bytes_per_s=rate) as link,
                napari_hmz.connect(link.url, TOKEN, state_dir=Path(name, "state")) as client,
            ):
                folder = Path(name, f"{rtt_ms}.zarr")
                yield from _both_ways(client, link, folder, rtt_ms, rate)


def _both_ways(
    client: Client, link: SlowLink, output: Path, rtt_ms: int, rate: float
) -> Iterator[Figure]:
    noise = np.random.default_rng(rtt_ms).integers(0, 256, SHAPE, dtype=np.uint8)
    run = client.run("copy", open_source(noise, axes="zyx"), block=BLOCK)
    needed = run.info().progress.chunks_needed
    up_s = _seconds(lambda: run.transfer.chunks_up == needed)
    up = run.transfer.bytes_up / up_s / rate
    blocks = run.wait().plan.blocks
    where = f"of {MBIT_PER_S} Mbit/s, {rtt_ms} ms there and back"
    note = f"({run.transfer.bytes_up / 1e6:.0f} MB in {up_s:.1f} s, {link.connections} connections)"
    yield Figure(f"link used up, {where}", up, BAR, "above", note)
    fetching = client.attach(run.id, output)
    down_s = _seconds(lambda: fetching.transfer.chunks_down == blocks)
    size = fetching.transfer.bytes_down
    note = f"({size / 1e6:.0f} MB in {down_s:.1f} s)"
    yield Figure(f"link used down, {where}", size / down_s / rate, BAR, "above", note)
    fetching.wait()


def _seconds(is_done: Callable[[], bool]) -> float:
    started = time.perf_counter()
    while not is_done():
        if time.perf_counter() - started > PATIENCE_S:
            raise TimeoutError("the link carries nothing")
        time.sleep(0.01)  # counts are looked at: nobody rings
    return time.perf_counter() - started
