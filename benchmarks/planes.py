"""An image stored by plane, sent by a client of little memory: planes decoded, and memory held.

The planes are made up when they are asked for, and counted. The client has a process of its own and
the least budget there is; its highest resident size (VmHWM) is compared at one and at ten times the
planes. The backend's engine copies its tiles, whose order follows a curve through the volume.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

import napari_hmz
from benchmarks.figure import Figure
from benchmarks.generated import peak_bytes
from hmz_backend.testing.live_backend import TOKEN
from hmz_backend.testing.lone_backend import LoneBackend
from napari_hmz.memory import LEAST_BYTES
from napari_hmz.schema import Sizes

PLANES, MORE_PLANES = 192, 1920
SIDE_PX = 1024
BLOCK: Sizes = {"z": 60, "y": 252, "x": 252}
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sent:
    """What it took to send one stack."""

    peak_bytes: int
    planes: int
    decoded: int
    most: int
    """How often the plane was decoded that was decoded most often."""


def figures() -> Iterator[Figure]:
    """Yield how often planes are decoded, and how memory grows with their number."""
    with tempfile.TemporaryDirectory() as name, LoneBackend(Path(name, "backend")) as backend:
        few, many = (_sent(backend.url, name, planes) for planes in (PLANES, MORE_PLANES))
    note = f"(measured once, sent once; {many.planes} planes, at most {many.most} times)"
    yield Figure("planes decoded / planes", many.decoded / many.planes, 2.0, "below", note)
    note = f"({many.peak_bytes / MIB:.0f} / {few.peak_bytes / MIB:.0f} MiB)"
    what = "peak memory of a client that sends planes: 10 x / 1 x"
    yield Figure(what, many.peak_bytes / few.peak_bytes, 1.1, "below", note)


def _sent(url: str, folder: str, planes: int) -> Sent:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HMZ_")}
    command = [sys.executable, "-m", "benchmarks.planes", url, folder, str(planes)]
    said = subprocess.run(command, env=kept, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Sent(**json.loads(said))


class Stack:
    """A lazy stack of planes that counts what is decoded."""

    def __init__(self, planes: int) -> None:
        self.decoded: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._noise = np.random.default_rng(0).poisson(3, (SIDE_PX, SIDE_PX)).astype(np.uint8)
        chunks = ((1,) * planes, (SIDE_PX,), (SIDE_PX,))
        self.array = da.map_blocks(self._plane, chunks=chunks, dtype=np.uint8)

    def _plane(self, block_info: Any = None) -> NDArray[np.uint8]:  # noqa: ANN401 # dask's own
        number = int(block_info[None]["chunk-location"][0])
        with self._lock:
            self.decoded[number] += 1
        return np.roll(self._noise, number, axis=1)[np.newaxis]


def main() -> None:
    url, folder, planes = sys.argv[1:]
    stack = Stack(int(planes))
    state = Path(folder, "state")
    connected = napari_hmz.connect(url, TOKEN, state_dir=state, memory_budget_bytes=LEAST_BYTES)
    with connected as client:
        client.run("copy", stack.array, block=BLOCK).wait()
    sent = Sent(
        peak_bytes=peak_bytes(os.getpid()),
        planes=len(stack.decoded),
        decoded=stack.decoded.total(),
        most=max(stack.decoded.values()),
    )
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
