"""Images of any size that take no disk and no time: a few chunks, made once, laid out at random.

`python -m benchmarks.generated` runs a model over one in a process of its own, and says at the end
how much memory that took; `GeneratedRun` starts it.
"""

import json
import math
import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import napari_hmz
from napari_hmz.cli.summary import seconds_of
from napari_hmz.schema import (
    ArrayDocument,
    Axes,
    AxisName,
    Interval,
    Sizes,
    VolumeRequest,
    extents,
    full_region,
)
from napari_hmz.sources import Origin

AXES: Axes = ("z", "y", "x")
Mode = Literal["staged", "stream"]
KINDS = 8
CLUSTER = 4
"""Chunks that are filled lie together in cubes of so many along each axis, as tissue does."""
MARK = 60_000
"""The value of the objects; noise is far below."""


class GeneratedSource:
    """Noise with a few objects in each chunk, uint16, stored plainly; a `Source`.

    Parameters
    ----------
    shape
        Extents along z, y, x: whole numbers of chunks.
    chunk_px
        Extent of a chunk along each axis.
    filled
        About which share of the chunks is not fill value.
    mode
        Whether the backend keeps the chunks.
    objects
        In each chunk.
    """

    def __init__(
        self,
        shape: Sizes,
        chunk_px: int,
        filled: float = 1.0,
        mode: Mode = "staged",
        objects: int = 4,
    ) -> None:
        self._shape, self._chunk_px, self._filled, self._mode = shape, chunk_px, filled, mode
        self._kinds_of_chunk = f"{objects} {chunk_px} {filled}"
        self._arrays = [_chunk(kind, chunk_px, objects) for kind in range(KINDS)]
        self._bodies = [array.tobytes() for array in self._arrays]

    @property
    def request(self) -> VolumeRequest:
        """The announcement."""
        chunks: Sizes = dict.fromkeys(AXES, self._chunk_px)
        document = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [self._shape[axis] for axis in AXES],
            "data_type": "uint16",
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [chunks[axis] for axis in AXES]},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
        }
        return VolumeRequest(
            name="generated",
            axes=AXES,
            shape=self._shape,
            chunks=chunks,
            dtype="uint16",
            array=ArrayDocument(zarr_format=3, document=document),
            mode=self._mode,
            fingerprint=f"generated {self._kinds_of_chunk} {sorted(self._shape.items())}",
        )

    @property
    def origin(self) -> Origin | None:
        """None: no other process needs it."""
        return None

    @property
    def filled_bytes(self) -> int:
        """The bytes of all chunks that are not fill value."""
        grid = [self._shape[axis] // self._chunk_px for axis in AXES]
        filled = sum(self._kind(index) is not None for index in np.ndindex(*grid))
        return filled * len(self._bodies[0])

    def chunk(self, key: str) -> bytes | None:
        """Return a chunk's bytes; none if it is fill value."""
        kind = self._kind(tuple(map(int, key.removeprefix("c/").split("/"))))
        return None if kind is None else self._bodies[kind]

    def place(self, key: str) -> str:
        """Return the key: nothing is stored."""
        return key

    def read(self, region: Mapping[AxisName, Interval]) -> NDArray[Any]:
        """Return the voxels of a region, chunk by chunk."""
        whole = {**full_region(self._shape), **region}
        out = np.zeros([extents(whole)[axis] for axis in AXES], np.uint16)
        starts = [whole[axis][0] for axis in AXES]
        firsts = [start // self._chunk_px for start in starts]
        lasts = [(whole[axis][1] - 1) // self._chunk_px for axis in AXES]
        counts = [last - first + 1 for first, last in zip(firsts, lasts, strict=True)]
        for step in np.ndindex(*counts):
            index = tuple(int(a + b) for a, b in zip(firsts, step, strict=True))
            kind = self._kind(index)
            if kind is not None:
                _lay(out, starts, self._arrays[kind], [n * self._chunk_px for n in index])
        return out

    def close(self) -> None:
        """Do nothing."""

    def _kind(self, index: tuple[int, ...]) -> int | None:
        cube = _drawn(tuple(number // CLUSTER for number in index))
        return None if cube / 2**32 >= self._filled else _drawn(index) % KINDS


def _drawn(index: tuple[int, ...]) -> int:
    return zlib.crc32(repr(tuple(map(int, index))).encode())


def _chunk(kind: int, size: int, objects: int) -> NDArray[np.uint16]:
    chance = np.random.default_rng(kind)
    array = chance.integers(1, 4000, (size, size, size), dtype=np.uint16)
    for _ in range(objects):  # boxes, some of which go on in the next chunk
        low = chance.integers(0, size - size // 8, 3)
        array[tuple(slice(at, at + size // 8) for at in low)] = MARK
    return array


def _lay(out: NDArray[Any], starts: list[int], part: NDArray[Any], corner: list[int]) -> None:
    into, taken = [], []
    for at, start, extent, size in zip(corner, starts, out.shape, part.shape, strict=True):
        low, high = max(at, start), min(at + size, start + extent)
        into.append(slice(low - start, high - start))
        taken.append(slice(low - at, high - at))
    out[tuple(into)] = part[tuple(taken)]


@dataclass(frozen=True, slots=True)
class GeneratedRun:
    """What is run in a process of its own.

    Parameters
    ----------
    url, token, state, output
        The backend, and folders for what the client remembers and writes.
    model
        Which.
    shape_px, chunk_px, filled, mode
        As `GeneratedSource`; z, y, x.
    budget_bytes
        What the client may hold; 0: what it does without being told.
    """

    url: str
    token: str
    state: str
    output: str
    model: str
    shape_px: tuple[int, int, int]
    chunk_px: int
    filled: float = 1.0
    mode: Mode = "staged"
    budget_bytes: int = 0

    @property
    def source(self) -> GeneratedSource:
        """The image."""
        shape: Sizes = dict(zip(AXES, self.shape_px, strict=True))
        return GeneratedSource(shape, self.chunk_px, self.filled, self.mode)

    def start(self) -> "subprocess.Popen[str]":
        """Start the process; it writes a `Measured` as JSON when the output is written."""
        command = [sys.executable, "-m", "benchmarks.generated", json.dumps(asdict(self))]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HMZ_")}
        variables = {**kept, "HMZ_CONFIG": str(Path(self.state) / "none.toml")}
        if self.budget_bytes:
            variables["HMZ_MEMORY_BUDGET_BYTES"] = str(self.budget_bytes)
        return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)

    def measured(self) -> "Measured":
        """Do it, and return what was measured."""
        process = self.start()
        said, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the run ended with {process.returncode}")
        return Measured(**json.loads(said))


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took on the client's side."""

    peak_bytes: int
    bytes_up: int
    blocks: int
    voxels: int
    seconds: float


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    asked = GeneratedRun(**json.loads(sys.argv[1]))
    with napari_hmz.connect(asked.url, asked.token, state_dir=asked.state) as client:
        run = client.run(asked.model, asked.source, output=asked.output)
        ended = run.wait()
    measured = Measured(
        peak_bytes=peak_bytes(os.getpid()),
        bytes_up=run.transfer.bytes_up,
        blocks=ended.plan.blocks,
        voxels=math.prod(asked.shape_px),
        seconds=seconds_of(ended) or 0.0,
    )
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
