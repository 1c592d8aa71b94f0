"""Bar 9: how soon the first labels are with the client, and how little was sent by then.

A generated volume of 1 GiB; the model has been used before, as on any day but the first. A chunk is
done when the backend has written it (the time of its file, on the same machine); it is at the
client when its voxels are. What was sent is counted at that moment. Several volumes take turns, and
the median counts.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure
from benchmarks.generated import AXES, GeneratedSource
from benchmarks.marked import NAME, marked_package
from benchmarks.memory import started
from napari_hmz.client import Client, connect
from napari_hmz.schema import ChunkDone, Region, slices

SHAPE_PX = (512, 1024, 1024)
CHUNK_PX = 64
BLOCK_PX = 64
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class First:
    """The first labels of one run.

    Parameters
    ----------
    late_s
        From their chunk's file to their values at the client.
    sent
        Share of the volume's bytes that had been sent by then.
    """

    late_s: float
    sent: float


def figures() -> Iterator[Figure]:
    """Yield the delay in seconds, and the share of the volume."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = started(folder, [marked_package(folder / NAME, BLOCK_PX)])
        try:
            with connect(backend.url, backend.token, state_dir=folder / "state") as client:
                _warm(client)
                data = backend.folder / "data"
                found = [_first(client, data, number) for number in range(ROUNDS)]
        finally:
            backend.stop()
    late_s = statistics.median(first.late_s for first in found)
    sent = statistics.median(first.sent for first in found)
    sizes = f"(median of {ROUNDS}; 1 GiB in chunks of {CHUNK_PX}, blocks of {BLOCK_PX})"
    yield Figure("seconds from a chunk done to labels at the client", late_s, 1.0, "below", sizes)
    yield Figure("share of the volume sent by then", sent, 0.01, "below", sizes)


def _warm(client: Client) -> None:
    shape = dict.fromkeys(AXES, 2 * BLOCK_PX)
    client.run(NAME, GeneratedSource(shape, CHUNK_PX)).wait()


def _first(client: Client, data: Path, number: int) -> First:
    # A chunk more along z each time: another volume, of which nothing is held.
    shape = dict(zip(AXES, SHAPE_PX, strict=True))
    source = GeneratedSource({**shape, "z": shape["z"] + number * CHUNK_PX}, CHUNK_PX)
    run = client.run(NAME, source)
    for event in run.watch():
        if isinstance(event, ChunkDone) and event.digest:
            break
    else:
        raise RuntimeError("the run gave no labels")
    region: Region = event.region
    labels = np.asarray(run.array("labels")[slices(region, AXES)])
    at_s, sent = time.time(), run.transfer.bytes_up
    if not labels.any():
        raise RuntimeError("the chunk has no labels")
    written_s = (data / "runs" / run.id / "outputs/labels" / event.key).stat().st_mtime
    run.cancel()
    run.close()
    return First(at_s - written_s, sent / source.filled_bytes)
