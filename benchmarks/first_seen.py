"""Must-show 3 of the window: how little of a volume is sent when its first labels are on screen.

A generated volume of 1 GiB in a real napari window, in an X server of its own; the model is run
from the dock, on a backend of this machine. What counts is the moment when the window has been
drawn with labels in the plane that is on show. Several volumes take turns, and the median counts;
the first of them, for which the model is still to be loaded, counts by itself. Both for chunks as
large as a block, of which the first block needs a dozen, and for smaller ones.
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
CHUNKS_PX = (32, 64)
BLOCK_PX = 64
ROUNDS = 5
LOAD_S = 8.0
"""As a large network takes: the engine is ready long after the link is."""


def figures() -> Iterator[Figure]:
    """Yield the share of the volume, for each extent of chunks."""
    for chunk_px in CHUNKS_PX:
        cold, *warm = _found(chunk_px)
        sizes = f"chunks of {chunk_px}, blocks of {BLOCK_PX}"
        yield Figure(
            f"share of 1 GiB sent when the first labels are on the screen, {sizes}",
            statistics.median(one.sent for one in warm), 0.01, "below",
            f"(median of {ROUNDS}, most {max(one.sent for one in warm):.3g}; "
            f"{statistics.median(one.seconds for one in warm):.1f} s after pressing Run)",
        )  # fmt: skip # what matters stands first
        yield Figure(
            f"the same, with the model still to be loaded, {sizes}",
            cold.sent, 0.01, "below", f"({cold.seconds:.1f} s after pressing Run)",
        )  # fmt: skip # what matters stands first


def _found(chunk_px: int) -> list[Seen]:
    """Measure on a backend of its own: the model is not loaded there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = marked_package(folder / NAME, BLOCK_PX, load_s=LOAD_S)
        backend = started(folder, [package])
        try:
            z, y, x = SHAPE_PX
            # A block more along y each time: another volume, of which nothing is held.
            shapes = tuple((z, y + number * BLOCK_PX, x) for number in range(ROUNDS + 1))
            asked = Asked(backend.url, backend.token, str(folder / "state"), shapes, chunk_px)
            return seen(asked)
        finally:
            backend.stop()


def seen(asked: Asked) -> list[Seen]:
    """Measure in a process and an X server of their own."""
    command = [*SCREEN, sys.executable, "-m", "benchmarks.dock", json.dumps(asdict(asked))]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [Seen(**one) for one in json.loads(said.splitlines()[-1])]
