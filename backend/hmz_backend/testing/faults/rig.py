"""A client, a backend and an engine as processes of their own, on a small volume.

Runs in the process of a test or a benchmark, which only starts, watches and kills.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.engines import bundled
from hmz_backend.testing.faults.processes import children_of, marked
from hmz_backend.testing.faults.tally import STITCHES, Stitch, Tally, model_name, tally_package
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_repository import write_triton_repository
from napari_hmz.testing.backend_process import BackendProcess, free_port

SHAPE, CHUNKS = (40, 48, 48), (20, 16, 24)
CHUNKS_TOTAL = 12
GRID = (3, 3, 3)
BLOCKS = 27
TILES_IN_FLIGHT = 4
INSTANCES = 2
"""How many tiles are computed at once."""
MARK = "HMZ_FAULTS_MARK"
"""In the environment of all that is started here, and of what that starts."""
EngineKind = Literal["embedded", "triton"]
ENGINES: tuple[EngineKind, ...] = ("embedded", "triton")


@dataclass
class Rig:
    """Starts what a run needs; a context manager that stops it.

    Parameters
    ----------
    folder
        Of everything; must be empty.
    engine
        Which.
    tile_s
        How long a tile takes.
    """

    folder: Path
    engine: EngineKind = "embedded"
    tile_s: float = 0.05
    backend: BackendProcess = field(init=False)
    triton: "bundled.RunningTriton | None" = field(default=None, init=False)
    _mark: str = field(default_factory=secrets.token_hex, init=False)
    _images: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Name the parts; nothing runs yet."""
        self.tally = Tally(self.folder / "tally")
        variables = {
            MARK: self._mark,
            "HMZ_BACKEND_TILES_IN_FLIGHT": str(TILES_IN_FLIGHT),
            "HMZ_BACKEND_WORKERS": str(INSTANCES),
        }
        self.backend = BackendProcess(
            self.folder / "backend",
            free_port(),
            engine=self.engine,
            variables=variables,
            command=(sys.executable, "-m", f"{__package__}.synced", str(self.syncs)),
        )

    @property
    def data(self) -> Path:
        """The backend's data folder."""
        return self.folder / "backend/data"

    @property
    def syncs(self) -> Path:
        """The log of what the backend has synced."""
        return self.folder / "syncs"

    @property
    def state(self) -> Path:
        """What the client remembers of its runs."""
        return self.folder / "state"

    def __enter__(self) -> Self:
        """Write the models and start the engine and the backend."""
        self.packages = [
            tally_package(self.folder / name, name, self.tally.file, tile_s=self.tile_s)
            for name in STITCHES
        ]
        models = json.dumps([str(package) for package in self.packages])
        self.backend.variables = {**self.backend.variables, "HMZ_BACKEND_MODELS": models}
        with ExitStack() as stack:
            stack.callback(self.stop)
            if self.engine == "triton":
                self._start_triton()
            self.backend.start()
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """Stop backend and engine."""
        self.backend.stop()
        if self.triton is not None:
            self.triton.stop()

    def left(self) -> list[int]:
        """Return the processes that were started by or through this rig and still run."""
        return marked(f"{MARK}={self._mark}")

    def image(self) -> Path:
        """Write an image that no run has seen yet, and that gives what all others give."""
        self._images += 1
        path = self.folder / f"image{self._images}.zarr"
        image = _blobs()
        image.flat[int(image.argmin())] = self._images  # far below the threshold
        names = ["z", "y", "x"]
        zarr.create_array(path, data=image, chunks=CHUNKS, dimension_names=names)
        return path

    def chunks_held(self) -> int:
        """Return how many chunks of all volumes the backend holds."""
        return sum(
            not name.startswith(".") and name != "zarr.json"
            for array in self.data.glob("volumes/*/array")
            for _, _, names in os.walk(array)
            for name in names
        )

    def run(self, stitch: Stitch, image: Path, output: Path) -> "subprocess.Popen[bytes]":
        """Begin `hmz run`."""
        return self._client("run", model_name(stitch), str(image), str(output))

    def attach(self, run_id: str) -> "subprocess.Popen[bytes]":
        """Begin `hmz attach`."""
        return self._client("attach", run_id)

    def run_of(self, output: Path) -> str | None:
        """Return the run that the client remembers for an output."""
        for file in sorted((self.state / "runs").glob("*.json")):
            record = json.loads(file.read_text())
            if record["output"] == str(output):
                return str(record["run"])
        return None

    def workers(self) -> list[int]:
        """Return the worker processes of the embedded engine."""
        process = self.backend.process
        return [] if process is None else children_of(process.pid, "spawn_main")

    def kill_triton(self) -> None:
        """End Triton with all its model processes, as a lost machine would."""
        assert self.triton is not None
        for pid in (self.triton.process.pid, *bundled.model_processes(self.triton.name)):
            with suppress(ProcessLookupError):  # it ended with the others
                os.kill(pid, signal.SIGKILL)
        self.triton.process.wait()

    def restart_triton(self) -> None:
        """Start Triton again where it was."""
        assert self.triton is not None
        self.triton.stop()
        self._start_triton(self.triton.ports)

    def _start_triton(self, ports: bundled.Ports | None = None) -> None:
        repository = self.folder / "repository"
        if ports is None:
            packages = [load_package(package) for package in self.packages]
            write_triton_repository(packages, repository, kind="python", instances=INSTANCES)
        self.triton = bundled.start(repository, ports=ports, log=self.folder / "triton.log")
        urls = json.dumps([self.triton.grpc_url])
        self.backend.variables = {**self.backend.variables, "HMZ_BACKEND_TRITON_URLS": urls}

    def _client(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "napari_hmz.cli", *words, "--url", self.backend.url]
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HMZ_")},
            "HMZ_TOKEN": self.backend.token,
            "HMZ_STATE_DIR": str(self.state),
            "HMZ_CONFIG": str(self.folder / "none.toml"),
            MARK: self._mark,
        }
        with (self.folder / "client.log").open("ab") as log:
            return subprocess.Popen([*command, "--json"], env=variables, stdout=log, stderr=log)  # noqa: S603 # our own interpreter


def _blobs() -> NDArray[np.uint16]:
    """Return shapes that touch, wind and end at borders; half of the volume."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random(SHAPE), 1.5)
    low, high = float(noise.min()), float(noise.max())
    values: NDArray[Any] = (noise - low) / (high - low) * 60_000
    return values.astype(np.uint16)
