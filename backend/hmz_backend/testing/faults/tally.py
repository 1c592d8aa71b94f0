"""Models that write down every tile that they begin and end, whichever engine runs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hmz_backend.testing.packages import TinyPackage

THRESHOLD = 30_000
BLOCK_PX, HALO_PX = 16, 2
Stitch = Literal["labels", "blend", "crop"]
STITCHES: tuple[Stitch, ...] = ("labels", "blend", "crop")

CODE = f'''
"""Labels or a mask of what is bright; each tile is written down when it begins and ends."""

import hashlib
import os
import time

import numpy as np
from scipy import ndimage


class Tally:
    def __init__(self, file, seconds, labels):
        self.file, self.seconds, self.labels = file, seconds, labels

    def __call__(self, image):
        name = hashlib.sha256(np.ascontiguousarray(image)).hexdigest()[:16]
        self.note("begun", name)
        time.sleep(self.seconds)
        mask = image > {THRESHOLD}
        result = [ndimage.label(one)[0] if self.labels else one * 1000.0 for one in mask]
        self.note("ended", name)
        return np.stack(result).astype(np.uint32 if self.labels else np.float32)

    def note(self, word, name):
        handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{{word}} {{name}}\\n".encode())
        os.close(handle)
'''


def model_name(stitch: Stitch) -> str:
    """Return the id of the model whose output is stitched in this way."""
    return f"tally-{stitch}"


def tally_package(folder: Path, stitch: Stitch, file: Path, *, tile_s: float) -> Path:
    """Write a model package into `folder`, and return it.

    Parameters
    ----------
    stitch
        `labels`: connected components, joined; `blend`, `crop`: a mask, float32.
    file
        Where tiles are written down.
    tile_s
        How long a tile takes at least.
    """
    labels = stitch == "labels"
    step = {
        "id": "custom",
        "source": "tally_step.py",
        "sha256": "SHA256:tally_step.py",
        "callable": "Tally",
        "kwargs": {"file": str(file), "seconds": tile_s, "labels": labels},
    }
    joined = {"mode": "merge-labels", "rule": "overlap"}
    output = {
        "kind": "instance-labels" if labels else "image",
        "dtype": "uint32" if labels else "float32",
        "stitch": joined if labels else {"mode": stitch},
    }
    return TinyPackage(
        id=model_name(stitch),
        axes="zyx",
        output="found",
        output_dtype="uint32" if labels else "float32",
        post=[step],
        files={"tally_step.py": CODE},
        hmz={
            "task": "instance-segmentation" if labels else "restoration",
            "inputs": {"image": {"kind": "image", "dtypes": ["uint16"]}},
            "outputs": {"found": output},
            "tile": {
                "preferred": dict.fromkeys("zyx", BLOCK_PX + 2 * HALO_PX),
                "halo": dict.fromkeys("zyx", HALO_PX),
            },
        },
    ).write(folder)


@dataclass(frozen=True, slots=True)
class Tally:
    """What has been written down since a moment.

    Parameters
    ----------
    file
        Where tiles are written down.
    since
        Bytes that the file had at that moment.
    """

    file: Path
    since: int = 0

    def from_now(self) -> "Tally":
        """Return the tally of what comes next."""
        return Tally(self.file, self.file.stat().st_size if self.file.exists() else 0)

    def begun(self) -> int:
        """Return how many tiles were begun, those that were begun twice counted twice."""
        return len(self._names("begun"))

    def ended(self) -> int:
        """Return how many tiles were computed to their end."""
        return len(self._names("ended"))

    def tiles(self) -> int:
        """Return how many different tiles were begun."""
        return len(set(self._names("begun")))

    def _names(self, word: str) -> Sequence[str]:
        if not self.file.exists():
            return ()
        with self.file.open("rb") as file:
            file.seek(self.since)
            lines = file.read().decode().splitlines()
        return [line.split()[1] for line in lines if line.startswith(word)]
