"""Must-show 3 of the window: how little of a volume is sent when its first labels are on screen.

A generated volume of 1 GiB in a real napari window, in an X server of its own; the model is run
from the dock, on a backend of this machine. What counts is the moment when the window has been
drawn with labels in the plane that is on show. Several volumes take turns, and the median counts;
the first of them, which loads the model, does not.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.dock import Asked, Seen
from benchmarks.figure import Figure
from benchmarks.marked import NAME, marked_package
from benchmarks.memory import started
from benchmarks.stall import SCREEN

SHAPE_PX = (512, 1024, 1024)
CHUNK_PX = 32
BLOCK_PX = 64
ROUNDS = 5


def figures() -> Iterator[Figure]:
    """Yield the share of the volume."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = started(folder, [marked_package(folder / NAME, BLOCK_PX)])
        try:
            z, y, x = SHAPE_PX
            # A block more along z each time: another volume, of which nothing is held.
            shapes = tuple((z + number * BLOCK_PX, y, x) for number in range(ROUNDS + 1))
            asked = Asked(backend.url, backend.token, str(folder / "state"), shapes, CHUNK_PX)
            found = seen(asked)[1:]
        finally:
            backend.stop()
    sent = statistics.median(one.sent for one in found)
    seconds = statistics.median(one.seconds for one in found)
    yield Figure(
        "share of 1 GiB sent when the first labels are on the screen", sent, 0.01, "below",
        f"(median of {ROUNDS}, most {max(one.sent for one in found):.3g}; "
        f"{seconds:.1f} s after pressing Run; chunks of {CHUNK_PX}, blocks of {BLOCK_PX})",
    )  # fmt: skip # what matters stands first


def seen(asked: Asked) -> list[Seen]:
    """Measure in a process and an X server of their own."""
    command = [*SCREEN, sys.executable, "-m", "benchmarks.dock", json.dumps(asdict(asked))]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [Seen(**one) for one in json.loads(said.splitlines()[-1])]
