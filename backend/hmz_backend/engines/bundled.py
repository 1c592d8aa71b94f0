"""Start and stop the Triton server that `install` has brought: for `serve`, tests and the demo.

One server process with model processes of its own; they share memory in `/dev/shm` under a prefix
of this server alone, so that several servers on one machine do not meet, and what a killed server
leaves behind can be removed.
"""

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hmz_backend.engines.environment import Environment, default_prefix, install, library_folder
from napari_hmz.errors import EngineUnavailable
from napari_hmz.priority import let_others_go_first

__all__ = ["Ports", "RunningTriton", "install", "start"]

HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
POLL_S = 0.05
STOP_TIMEOUT_S = 20.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # where Linux keeps it; the names under it are ours
SHARED_BYTES = 16 * 1024 * 1024
"""What each model process starts with; it grows with the tiles."""


@dataclass(frozen=True)
class Ports:
    """Where the server listens, all on loopback; 0 takes a free one."""

    http: int = 0
    grpc: int = 0
    metrics: int = 0

    def filled(self) -> "Ports":
        """Return ports that are free now, in place of zeros."""
        wanted = (self.http, self.grpc, self.metrics)
        with contextlib.ExitStack() as held:  # until all are found: a port let go may come again
            return Ports(*(port or _free_port(held) for port in wanted))


def _free_port(held: contextlib.ExitStack) -> int:
    listener = held.enter_context(socket.socket())
    listener.bind((HOST, 0))
    return int(listener.getsockname()[1])


class RunningTriton:
    """A Triton server that we have started; a context manager that stops it.

    Parameters
    ----------
    process
        The server.
    ports
        Where it listens.
    log
        The file that its output goes to.
    name
        Of this server alone: its identity, and what the names of its shared memory begin with.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", ports: Ports, log: Path, name: str
    ) -> None:
        self.process = process
        self.ports = ports
        self.log = log
        self.name = name
        self._guard = _guard(process.pid)

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients, without scheme."""
        return f"{HOST}:{self.ports.grpc}"

    @property
    def http_url(self) -> str:
        """Address of the HTTP side."""
        return f"http://{HOST}:{self.ports.http}"

    def is_ready(self) -> bool:
        """Ask whether it takes requests; a stranger on the same port does not count."""
        try:
            with contextlib.closing(self._get("/v2")) as answer:
                if json.loads(answer.read()).get("name") != self.name:
                    return False
            with contextlib.closing(self._get("/v2/health/ready")) as answer:
                return answer.status == http.client.OK
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def _get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(HOST, self.ports.http, timeout=PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse()
        finally:
            connection.close()  # the response keeps its own end open until it is read

    def stop(self) -> None:
        """End the server and its model processes; no error if it has ended already."""
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in model_processes(self.name):  # they outlive a server that was killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for left in SHARED_MEMORY.glob(f"{self.name}*"):
            left.unlink(missing_ok=True)

    def __enter__(self) -> "RunningTriton":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()


def _guard(pid: int) -> "subprocess.Popen[bytes]":
    # However we end, even by SIGKILL, the pipe to this shell closes, and it ends the server.
    script = 'cat; kill -TERM "$1"; sleep 10; kill -KILL "$1"'
    return subprocess.Popen(  # noqa: S603 # our own words, and a number
        ["/bin/sh", "-c", script, "sh", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C must not take the guard first
    )


def model_processes(name: str) -> list[int]:
    """Return the processes that were started with the name of a server's shared memory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if name.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def start(
    repository: Path,
    *,
    prefix: Path | None = None,
    ports: Ports | None = None,
    log: Path | None = None,
    timeout_s: float = READY_TIMEOUT_S,
) -> RunningTriton:
    """Start the bundled Triton and wait until it takes requests; models are loaded on demand.

    Parameters
    ----------
    repository
        The model repository, as `zoo.triton_repository` writes it.
    prefix
        Of the serving environment; made by `install`.
    ports
        Where to listen; free ones if not given.
    log
        Where its output goes; a temporary file if not given.
    timeout_s
        How long it may take to be ready.

    Raises
    ------
    EngineUnavailable
        If it is not installed, or does not start.
    """
    environment = Environment((prefix or default_prefix()).absolute())
    if not environment.is_installed():
        raise EngineUnavailable(
            f"The bundled Triton is not installed at {environment.prefix}.",
            remedy="Run `hmz-backend triton install`.",
        )
    log = log or Path(tempfile.mkstemp(prefix="hmz-triton-", suffix=".log")[1])
    name = f"hmz-{os.getpid()}-{secrets.token_hex(4)}"
    filled = (ports or Ports()).filled()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 # our own command, without a shell
            _command(environment, repository, filled, name),
            env=_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us, who then stop it in order
        )
    let_others_go_first(process.pid)
    running = RunningTriton(process, filled, log, name)
    try:
        _await_ready(running, timeout_s)
    except BaseException:  # Ctrl-C as well: nobody else knows of this process yet
        running.stop()
        raise
    return running


def _command(environment: Environment, repository: Path, ports: Ports, name: str) -> list[str]:
    options = {
        "model-repository": repository.absolute(),
        "id": name,
        "model-control-mode": "explicit",
        "strict-readiness": "false",  # one model that cannot be loaded is no reason to go round it
        "backend-directory": environment.backends,
        "http-address": HOST,
        "grpc-address": HOST,
        "metrics-address": HOST,
        "http-port": ports.http,
        "grpc-port": ports.grpc,
        "metrics-port": ports.metrics,
        "exit-timeout-secs": 5,
    }
    backend = {
        "shm-region-prefix-name": name,
        "shm-default-byte-size": SHARED_BYTES,
    }
    return [
        str(environment.server),
        "--disable-auto-complete-config",
        *(f"--{name}={value}" for name, value in options.items()),
        *(f"--backend-config=python,{name}={value}" for name, value in backend.items()),
    ]


def _variables(environment: Environment) -> Mapping[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # those of another Python
    }
    libraries = (library_folder(), environment.packages / "nvidia_pytriton.libs")
    return {
        **kept,
        "PATH": f"{environment.python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "1",
    }


def _await_ready(running: RunningTriton, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not running.is_ready():
        if running.process.poll() is not None or time.monotonic() > deadline:
            raise EngineUnavailable(
                f"Triton did not start: {_last_words(running.log)}",
                remedy=f"Look at its log {running.log}.",
            )
        time.sleep(POLL_S)  # the server has no other way to say that it is ready


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E", "error"))]
    return (errors or lines or ["it wrote nothing"])[-1]
