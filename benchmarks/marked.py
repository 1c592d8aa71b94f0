"""A model that costs next to nothing: the connected components of what is marked."""

from pathlib import Path

from benchmarks.generated import MARK
from hmz_backend.testing.packages import TinyPackage

NAME = "marked"
HALO_PX = 2
CODE = f'''
"""Connected components of what is marked."""

import time

import numpy as np
from scipy import ndimage


class Marked:
    def __init__(self, folder, threads):
        time.sleep(LOAD_S)

    def predict(self, inputs, parameters, statistics):
        labels, _ = ndimage.label(inputs["image"] == {MARK})
        return {{"labels": labels.astype(np.uint32)}}
'''


def marked_package(folder: Path, block_px: int, load_s: float = 0.0) -> Path:
    """Write the package; (z, y, x) uint16 to labels, cubic blocks; loading takes so long."""
    return TinyPackage(
        id=NAME,
        axes="zyx",
        output="labels",
        output_dtype="uint32",
        files={"marked.py": CODE.replace("LOAD_S", str(load_s))},
        hmz={
            "task": "instance-segmentation",
            "inputs": {"image": {"kind": "image", "dtypes": ["uint16"]}},
            "outputs": {
                "labels": {
                    "kind": "instance-labels",
                    "dtype": "uint32",
                    "stitch": {"mode": "merge-labels", "rule": "overlap"},
                }
            },
            "tile": {
                "preferred": dict.fromkeys("zyx", block_px + 2 * HALO_PX),
                "halo": dict.fromkeys("zyx", HALO_PX),
                "skip_empty": True,
            },
            "pipeline": {
                "source": "marked.py",
                "sha256": "SHA256:marked.py",
                "callable": "Marked",
            },
        },
    ).write(folder)
