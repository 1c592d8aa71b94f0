"""The backend of this machine: found if it runs, started if not, and left running.

It is a process of its own, so that runs outlive the program that asked for them. Where it listens
and its token stand in a handshake file that only its user can read.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from napari_hmz.alone import alone
from napari_hmz.errors import HmzError, LocalBackendFailed, LocalBackendStopped
from napari_hmz.http import Http
from napari_hmz.schema import Health, wire
from napari_hmz.schema.base import Message
from napari_hmz.settings import EngineChoice
from napari_hmz.version import __version__

COMMAND = (sys.executable, "-m", "hmz_backend", "serve")
_POLL_S = 0.05
_LOG_LINES = 15


class Handshake(Message):
    """What a started backend writes down for its user."""

    url: str
    token: SecretStr
    pid: int


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """The files of one local backend.

    Parameters
    ----------
    state
        Handshake and log; made readable for the user only.
    data
        Images, runs and the database.
    """

    state: Path
    data: Path

    @property
    def handshake(self) -> Path:
        """Address and token, while it runs."""
        return self.state / "handshake.json"

    @property
    def log(self) -> Path:
        """What it printed since it was started."""
        return self.state / "backend.log"

    @property
    def lock(self) -> Path:
        """Present while some process starts it."""
        return self.state / "starting"


def local_backend(
    folder: LocalFolder,
    engine: EngineChoice,
    *,
    start: bool = True,
    command: Sequence[str] = COMMAND,
    timeout_s: float = 180.0,
) -> Handshake:
    """Return the backend that runs in `folder`, started now if need be and `start` says so.

    Raises
    ------
    LocalBackendStopped
        If it does not run and is not to be started.
    LocalBackendFailed
        If it is not installed, or does not come up; with the end of its log.
    """
    found = _running(folder)
    if found is not None:
        return found
    if not start:
        raise LocalBackendStopped("The backend of this machine does not run.")
    if command is COMMAND and importlib.util.find_spec("hmz_backend") is None:
        raise LocalBackendFailed("This installation has no backend.")
    folder.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(folder.lock, 2 * timeout_s):
        # Another process may have started it while this one waited.
        return _running(folder) or _start(folder, engine, command, timeout_s)


def _running(folder: LocalFolder) -> Handshake | None:
    """Return the handshake if the backend that wrote it answers and has our version."""
    found = _read(folder.handshake)
    health = None if found is None else _health(found.url)
    if found is None or health is None:
        return None
    if health.version != __version__:
        _retire(found)
        return None
    return found


def _read(file: Path) -> Handshake | None:
    try:
        return Handshake.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):  # not there yet, or half written
        return None


def _health(url: str) -> Health | None:
    # Without the token: who listens there now may not be who wrote the handshake.
    try:
        with Http(url, timeout_s=5.0, patience_s=0.0) as http:
            return http.get(wire.HEALTH, Health)
    except HmzError:
        return None


def _retire(old: Handshake) -> None:
    """End a backend of another version; its runs go on in the new one, from their journal."""
    with contextlib.suppress(OSError):
        os.kill(old.pid, 15)
    deadline = time.monotonic() + 20.0
    while _health(old.url) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_S)  # until it has closed its database


def _start(
    folder: LocalFolder, engine: EngineChoice, command: Sequence[str], timeout_s: float
) -> Handshake:
    folder.handshake.unlink(missing_ok=True)
    process = _spawn(folder, engine, command)
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        found = _read(folder.handshake)
        if found is not None and _health(found.url) is not None:
            _let_go(process)
            return found
        time.sleep(_POLL_S)  # a process tells no other way that it listens
    ended = process.poll()
    if ended is None:
        process.kill()
        process.wait()
    how = f"did not listen within {timeout_s:.0f} s" if ended is None else f"ended with {ended}"
    raise LocalBackendFailed(
        f"The local backend {how}. The end of {folder.log}:\n{_tail(folder.log)}"
    )


def _spawn(
    folder: LocalFolder, engine: EngineChoice, command: Sequence[str]
) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "HMZ_TOKEN"}
    environment["HMZ_BACKEND_ENGINE"] = engine
    environment.setdefault("HMZ_BACKEND_DATA_DIR", str(folder.data))
    arguments = [*command, "--port", "0", "--handshake", str(folder.handshake)]
    with folder.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 # our own interpreter, no shell
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder.state,
            env=environment,
            **_detached(),
        )


def _detached() -> dict[str, Any]:
    """Return what keeps the terminal's Ctrl-C, and the end of this program, from the backend."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    """Leave a child running; should it end while we live, a thread takes its exit status."""
    threading.Thread(target=process.wait, name="hmz-local-backend", daemon=True).start()


def _tail(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(lines[-_LOG_LINES:]) or "(empty)"
