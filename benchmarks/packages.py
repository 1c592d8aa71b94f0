"""Models to measure with: one that does nothing, so that only the product's own work is left."""

from pathlib import Path

from hmz_backend.testing.packages import TinyPackage

BLOCK_PX = 96
HALO_PX = 16
TILE_PX = BLOCK_PX + 2 * HALO_PX


def do_nothing(folder: Path) -> Path:
    """Write a package whose output is its input: (z, y, x) float32, blocks of 96, halo 16."""
    axes = "zyx"
    return TinyPackage(
        id="do-nothing",
        axes=axes,
        output="copy",
        size={"min": HALO_PX, "step": HALO_PX},
        hmz={
            "task": "restoration",
            "inputs": {"image": {"kind": "image", "dtypes": ["uint8", "uint16", "float32"]}},
            "outputs": {"copy": {"kind": "image", "dtype": "float32", "stitch": {"mode": "crop"}}},
            "tile": {
                "preferred": dict.fromkeys(axes, TILE_PX),
                "halo": dict.fromkeys(axes, HALO_PX),
            },
        },
    ).write(folder)
