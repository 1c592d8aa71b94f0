"""Models to measure with: one that does nothing, and one whose tiles take a stated time."""

import hashlib
from pathlib import Path
from typing import Any

from hmz_backend.testing.packages import TinyPackage

BLOCK_PX = 96
HALO_PX = 16
PACED_TILE_PX, PACED_HALO_PX = 64, 8
PIPELINE = """
import time


class Paced:
    '''Gives its input back, after as long as a network would have taken.'''

    def __init__(self, folder, threads):
        self.tile_s = {tile_s}

    def predict(self, inputs, parameters, statistics):
        time.sleep(self.tile_s)
        return {{"copy": inputs["image"]}}
"""


def do_nothing(folder: Path) -> Path:
    """Write a package whose output is its input: (z, y, x) float32, blocks of 96, halo 16."""
    hmz = _copying("float32", BLOCK_PX + 2 * HALO_PX, HALO_PX)
    return _package("do-nothing", HALO_PX, hmz).write(folder)


def paced(folder: Path, tile_s: float) -> Path:
    """Write a package whose tiles of 64³, halo 8, take `tile_s`: (z, y, x) uint16 in and out."""
    text = PIPELINE.format(tile_s=tile_s)
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
