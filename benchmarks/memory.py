"""Bar 3: peak memory of client and backend when the volume grows ten- and a hundredfold.

The image is made up on the way and takes no disk; its labels are few, so that the outputs take
little. All buffers are smaller than the smallest volume: what grows from there on is a leak. The
figures are the highest resident sizes (VmHWM) of the client's process, and of the backend's with
those of its workers; each run has processes of its own.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.generated import GeneratedRun, peak_bytes
from benchmarks.marked import NAME, marked_package
from hmz_backend.testing.faults.processes import children_of
from napari_hmz.memory import LEAST_BYTES
from napari_hmz.testing.backend_process import BackendProcess, free_port

MIB = 2**20
CHUNK_PX = 64
SHAPES_PX: Mapping[int, tuple[int, int, int]] = {
    1: (512, 512, 512),
    10: (1024, 1024, 1280),
    100: (2560, 2048, 2560),
}
"""z, y, x: 256 MiB, 2.5 GiB and 25 GiB."""
CLIENT_BYTES = LEAST_BYTES
BUFFERS = {
    "HMZ_BACKEND_CHUNK_CACHE_BYTES": str(8 * MIB),
    "HMZ_BACKEND_CREDIT_BYTES": str(4 * MIB),
    "HMZ_BACKEND_TILES_IN_FLIGHT": "4",
    "HMZ_BACKEND_WORKERS": "2",
    "HMZ_BACKEND_THREADS": "4",
}


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peak memory of both sides in one run, in bytes."""

    client: int
    backend: int


def figures(times: int = 10) -> Iterator[Figure]:
    """Yield how much more memory each side takes for so many times the voxels."""
    small, large = _peaks(SHAPES_PX[1]), _peaks(SHAPES_PX[times])
    for name in ("client", "backend"):
        size, size_1 = getattr(large, name), getattr(small, name)
        note = f"({size / MIB:.0f} / {size_1 / MIB:.0f} MiB)"
        what = f"peak memory of the {name}: {times} x the volume / 1 x"
        yield Figure(what, size / size_1, 1.1, "below", note)


def hundredfold() -> Iterator[Figure]:
    """Yield the same for a volume of 25 GiB."""
    return figures(100)


def _peaks(shape_px: tuple[int, int, int]) -> Peaks:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = marked_package(folder / NAME, CHUNK_PX)
        backend = started(folder, [package], BUFFERS)
        try:
            measured = GeneratedRun(
                url=backend.url,
                token=backend.token,
                state=str(folder / "state"),
                output=str(folder / "out.ome.zarr"),
                model=NAME,
                shape_px=shape_px,
                chunk_px=CHUNK_PX,
                budget_bytes=CLIENT_BYTES,
            ).measured()
            return Peaks(measured.peak_bytes, backend_peak_bytes(backend))
        finally:
            backend.stop()


def started(
    folder: Path, packages: Sequence[Path], variables: "dict[str, str] | None" = None
) -> BackendProcess:
    """Start a backend with the embedded engine and its own settings."""
    models = "[" + ",".join(f'"{package}"' for package in packages) + "]"
    backend = BackendProcess(
        folder / "backend",
        free_port(),
        variables={"HMZ_BACKEND_MODELS": models, **(variables or {})},
    )
    backend.start()
    return backend


def backend_peak_bytes(backend: BackendProcess) -> int:
    """Return the highest resident size of a backend and its workers."""
    if backend.process is None:
        return 0
    pid = backend.process.pid
    return sum(map(peak_bytes, (pid, *children_of(pid, "spawn_main"))))
