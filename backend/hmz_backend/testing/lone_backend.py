"""A backend in a process of its own, with a fake engine: what is killed in tests.

`python -m hmz_backend.testing.lone_backend FOLDER HANDSHAKE DELAY_S [DATABASE_URL]` serves until it
is stopped.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from hmz_backend.app import build_app
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.server import address_of, listen, make_server, write_handshake
from hmz_backend.settings import Settings
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, FakePackages
from napari_hmz.schema import wire

START_S = 60.0


@dataclass
class LoneBackend:
    """Runs `main` in a child process while the context lasts.

    Parameters
    ----------
    folder
        Data folder.
    delay_s
        What each tile takes.
    database_url
        A database of several backends; empty: one in the folder.
    name
        Tells it from the others in the same folder.
    """

    folder: Path
    delay_s: float = 0.0
    database_url: str = ""
    name: str = "backend"

    def __enter__(self) -> Self:
        """Start, and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handshake = self.folder / f"{self.name}.json"
        handshake.unlink(missing_ok=True)
        command = [sys.executable, "-m", __name__, str(self.folder), str(handshake)]
        command += [str(self.delay_s), self.database_url]
        self._process = subprocess.Popen(command)  # noqa: S603 # ourselves
        end_s = time.monotonic() + START_S
        while not handshake.exists():
            assert self._process.poll() is None, "the backend ended"
            assert time.monotonic() < end_s, "the backend did not start"
            time.sleep(0.02)  # a file says when
        self.url: str = json.loads(handshake.read_text())["url"]
        return self

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def stop(self) -> float:
        """Stop it as an admin would; return how many seconds that took."""
        began_s = time.monotonic()
        self._process.terminate()
        assert self._process.wait() == 0
        return time.monotonic() - began_s

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, if nobody has yet."""
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)  # a test may have stalled it
        self._process.terminate()
        self._process.wait()

    def client(self, url: str = "", **headers: str) -> httpx.Client:
        """Return an HTTP client that is signed in, and may reach the backend through a proxy."""
        given = {
            "Authorization": f"Bearer {TOKEN}",
            wire.PROTOCOL_HEADER: str(wire.PROTOCOL_VERSION),
        }
        return httpx.Client(base_url=url or self.url, headers=given | headers, timeout=30.0)


def main(folder: str, handshake: str, delay_s: str, database_url: str = "") -> None:
    """Serve until stopped."""
    with listen("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        settings = Settings(data_dir=Path(folder), database_url=database_url, port=port)
        app: Any = build_app(
            settings,
            engine=FakeEngine(MODELS, delay_s=float(delay_s)),
            packages=FakePackages(CARDS),
            identities=[SharedToken(SecretStr(TOKEN))],
        )
        url = address_of(opened)
        server = make_server(app, settings, lambda: write_handshake(Path(handshake), url, TOKEN))
        server.run([opened])


if __name__ == "__main__":
    main(*sys.argv[1:])
