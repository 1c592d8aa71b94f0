"""A real backend in a process of its own, that a test may kill and start again."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from napari_hmz import errors
from napari_hmz.http import Http
from napari_hmz.schema import Health, wire
from napari_hmz.testing.answering import await_answer

_START_S = 120.0


@dataclass
class BackendProcess:
    """A backend that keeps its address and its folder over restarts.

    Parameters
    ----------
    folder
        Of data and log.
    port
        Where it listens, on loopback.
    token
        What its callers must show.
    engine
        `embedded`, or `triton` for the bundled one.
    variables
        What its environment has beside these.
    command
        What `serve` is a word of.
    """

    folder: Path
    port: int
    token: str = "the-token-of-the-tests"  # noqa: S105 # guards a folder that is thrown away
    engine: str = "embedded"
    variables: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = (sys.executable, "-m", "hmz_backend")
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*self.command, "serve", "--port", str(self.port)]
        environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("HMZ_BACKEND_")},
            "HMZ_TOKEN": self.token,
            "HMZ_BACKEND_ENGINE": self.engine,
            "HMZ_BACKEND_DATA_DIR": str(self.folder / "data"),
            "HMZ_BACKEND_WORKERS": "2",
            "HMZ_BACKEND_TILES_IN_FLIGHT": "4",
            **self.variables,
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 # our own interpreter
                command, env=environment, stdout=log, stderr=log
            )
        with Http(self.url, patience_s=0.0) as http:
            ask = partial(http.get, wire.HEALTH, Health)
            refused = errors.BackendUnreachable
            await_answer(self.process, ask, refused, within_s=_START_S, said=self._said)

    def _said(self) -> str:
        return (self.folder / "log").read_text()[-3000:]

    def kill(self) -> None:
        """End it as a lost machine would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


def free_port() -> int:
    """Return a port where nothing listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
