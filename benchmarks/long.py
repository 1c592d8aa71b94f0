"""A volume of 100 GiB from end to end: sent, labelled, fetched and written in bounded memory.

About one chunk in 64 has an image in it, in cubes of 4 x 4 x 4 chunks, as tissue lies in a scan;
the others are announced and not sent. The chunks pass through the backend as a stream, and the
labels are few, so that neither side needs much disk. Takes several minutes: run by name only.
"""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.generated import GeneratedRun
from benchmarks.marked import NAME, marked_package
from benchmarks.memory import backend_peak_bytes, started

SHAPE_PX = (4096, 3584, 3584)
CHUNK_PX = 128
FILLED = 1 / 64
VOXEL_BYTES = 2
GIB = 2**30


def figures(shape_px: tuple[int, int, int] = SHAPE_PX) -> Iterator[Figure]:
    """Yield the peak memory of each side as a share of the volume."""
    volume_bytes = math.prod(shape_px) * VOXEL_BYTES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = started(folder, [marked_package(folder / NAME, CHUNK_PX)])
        try:
            run = GeneratedRun(
                url=backend.url,
                token=backend.token,
                state=str(folder / "state"),
                output=str(folder / "out.ome.zarr"),
                model=NAME,
                shape_px=shape_px,
                chunk_px=CHUNK_PX,
                filled=FILLED,
                mode="stream",
            )
            measured = run.measured()
            backend_bytes = backend_peak_bytes(backend)
        finally:
            backend.stop()
    rate = measured.voxels / max(measured.seconds, 1e-9)
    share = measured.bytes_up / volume_bytes
    size = (
        f"{volume_bytes / GIB:.1f} GiB, {share:.1%} of it filled, {measured.blocks} blocks, "
        f"{measured.seconds:.0f} s, {rate / 1e6:.1f} Mvoxel/s"
    )
    for side, peak in (("client", measured.peak_bytes), ("backend", backend_bytes)):
        note = f"({peak / GIB:.2f} GiB; {size}, {measured.bytes_up / GIB:.1f} GiB sent)"
        yield Figure(
            f"peak memory of the {side} / volume", peak / volume_bytes, 0.02, "below", note
        )
