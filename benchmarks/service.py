"""What the benchmarks measure against: one Triton, and a backend process in front of it."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import napari_hmz
from hmz_backend.engines import bundled
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_repository import write_triton_repository
from napari_hmz.client import Client

START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Service:
    """A running Triton, a client of the backend in front of it, and how others reach that."""

    client: Client
    triton: bundled.RunningTriton
    url: str
    token: str


@contextlib.contextmanager
def service(folder: Path, packages: Sequence[Path], *, instances: int = 2) -> Iterator[Service]:
    """Start Triton and a backend that serves `packages`; both are stopped at the end.

    Parameters
    ----------
    folder
        For everything that they write.
    instances
        Processes of each model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    repository = folder / "repository"
    write_triton_repository(
        [load_package(package) for package in packages],
        repository,
        kind="python",
        instances=instances,
    )
    with contextlib.ExitStack() as stack:
        triton = stack.enter_context(bundled.start(repository))
        url, token = stack.enter_context(_backend(folder, triton, packages))
        state = folder / "state"  # not what this machine remembers of all its runs
        client = stack.enter_context(napari_hmz.connect(url, token, state_dir=state))
        yield Service(client, triton, url, token)


@contextlib.contextmanager
def _backend(
    folder: Path, triton: bundled.RunningTriton, packages: Sequence[Path]
) -> Iterator[tuple[str, str]]:
    handshake, token = folder / "handshake.json", secrets.token_urlsafe()
    config = folder / "backend.toml"
    config.write_text(
        f"data_dir = {str(folder / 'data')!r}\nengine = 'triton'\n"
        f"triton_urls = [{triton.grpc_url!r}]\ntriton_http_urls = [{triton.http_url!r}]\n"
        f"models = {[str(path) for path in packages]!r}\n"
    )
    command = [sys.executable, "-m", "hmz_backend", "serve", "--config", str(config)]
    command += ["--port", "0", "--handshake", str(handshake)]
    with (folder / "backend.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, "HMZ_TOKEN": token}, stdout=log, stderr=log
        )
        try:
            yield _address(handshake, process), token
        finally:
            process.terminate()
            process.wait()


def _address(handshake: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not handshake.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the backend did not start: see {handshake.parent / 'backend.log'}")
        time.sleep(0.05)  # the handshake file is the only sign that it listens
    return str(json.loads(handshake.read_text())["url"])
