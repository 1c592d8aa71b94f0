"""Models to measure with: one that does nothing, and one whose tiles take a stated time."""

import hashlib
from pathlib import Path
from typing import Any

from hmz_backend.testing.packages import TinyPackage

BLOCK_PX = 96
HALO_PX = 16
PACED_TILE_PX, PACED_HALO_PX = 64, 8
AROUND_S = 0.003
"""What Triton's process takes at most for a tile beside the model: reading, writing, answering."""
PIPELINE = """
import time


class Paced:
    '''Gives its input back, after as long as a network would have taken.

    From one answer to the next, what the process does around this call included; a tile that was
    not at hand by then begins when it comes.
    '''

    def __init__(self, folder, threads):
        self.ended_s = 0.0

    def predict(self, inputs, parameters, statistics):
        began_s = max(self.ended_s, time.perf_counter() - {around_s})
        self.ended_s = began_s + {tile_s}
        time.sleep(max(0.0, self.ended_s - time.perf_counter()))
        return {{"copy": inputs["image"]}}
"""


def do_nothing(folder: Path) -> Path:
    """Write a package whose output is its input: (z, y, x) float32, blocks of 96, halo 16."""
    hmz = _copying("float32", BLOCK_PX + 2 * HALO_PX, HALO_PX)
    return _package("do-nothing", HALO_PX, hmz).write(folder)


def paced(folder: Path, tile_s: float) -> Path:
    """Write a package whose tiles of 64³, halo 8, take `tile_s`: (z, y, x) uint16 in and out."""
    text = PIPELINE.format(tile_s=tile_s, around_s=AROUND_S)
    entry = {
        "source": "pipeline.py",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "callable": "Paced",
    }
    hmz = _copying("uint16", PACED_TILE_PX, PACED_HALO_PX) | {"pipeline": entry}
    return _package("paced", PACED_HALO_PX, hmz, {"pipeline.py": text}).write(folder)


def _package(
    name: str, step_px: int, hmz: dict[str, Any], files: dict[str, str] | None = None
) -> TinyPackage:
    size = {"min": step_px, "step": step_px}
    return TinyPackage(id=name, axes="zyx", output="copy", size=size, hmz=hmz, files=files or {})


def _copying(dtype: str, tile_px: int, halo_px: int) -> dict[str, Any]:
    return {
        "task": "restoration",
        "inputs": {"image": {"kind": "image", "dtypes": ["uint8", "uint16", "float32"]}},
        "outputs": {"copy": {"kind": "image", "dtype": dtype, "stitch": {"mode": "crop"}}},
        "tile": {
            "preferred": dict.fromkeys("zyx", tile_px),
            "halo": dict.fromkeys("zyx", halo_px),
        },
    }
