"""Bar 2: bytes sent up against the encoded bytes of the source; nothing on the second run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from benchmarks.figure import Figure
from benchmarks.packages import do_nothing
from benchmarks.service import service
from napari_hmz.schema import Sizes
from napari_hmz.sources import open_source

BLOCK_PX = 32
HALO_PX = 16
SIDE_PX = 192


def figures() -> Iterator[Figure]:
    """Yield the ratio of the first run, and the bytes of the second, with a halo of 16 in 64."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoded = _write_source(folder / "source.zarr")
        block: Sizes = {"z": BLOCK_PX, "y": BLOCK_PX, "x": BLOCK_PX}
        halo: Sizes = {"z": HALO_PX, "y": HALO_PX, "x": HALO_PX}
        with service(folder, [do_nothing(folder / "do-nothing")]) as running:
            sent = []
            for place in ("first.zarr", "second.zarr"):
                run = running.client.run(
                    "do-nothing",
                    open_source(folder / "source.zarr", axes=("z", "y", "x")),
                    block=block,
                    halo=halo,
                    output=folder / place,
                )
                run.wait()
                sent.append(run.transfer.bytes_up)
        note = f"({sent[0]} / {encoded} bytes)"
        yield Figure("bytes up / encoded source bytes", sent[0] / encoded, 1.02, "below", note)
        yield Figure("bytes up of a second run", sent[1], 0, "below")


def _write_source(path: Path) -> int:
    image = np.random.default_rng(0).poisson(50, (SIDE_PX,) * 3).astype(np.uint16)
    zarr.create_array(path, data=image, chunks=(64, 64, 64))
    return sum(file.stat().st_size for file in (path / "c").rglob("*") if file.is_file())
