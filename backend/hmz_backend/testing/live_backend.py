"""A backend that really listens, in a thread of this process: what route tests talk to."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from hmz_backend.app import build_app
from hmz_backend.engines.protocol import Engine
from hmz_backend.engines.triton_http import TritonHttp
from hmz_backend.identity.protocol import Identity
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.runs.lookout import Package
from hmz_backend.server import Server, address_of, listen, make_server
from hmz_backend.settings import Settings
from hmz_backend.watch.watch import Watch
from napari_hmz.schema import ModelCard, wire

TOKEN = "a token for tests"  # noqa: S105 # it opens nothing else
START_S = 30.0


@dataclass(frozen=True)
class FakePackage:
    """A model package of which only the card matters."""

    card: ModelCard
    folder: Path = Path()


@dataclass(frozen=True)
class FakePackages:
    """A zoo of cards."""

    cards: Sequence[ModelCard]

    def packages(self) -> Sequence[Package]:
        """Return all packages."""
        return [FakePackage(card) for card in self.cards]


@dataclass
class LiveBackend:
    """Serves on a free port of 127.0.0.1 while the context lasts.

    Parameters
    ----------
    folder
        Data folder; a second backend on the same one continues what the first left.
    engine, cards
        What computes, and the models there are.
    changes
        Settings that differ from the defaults.
    identities
        Who may call.
    triton_http
        Where `/v2` passes requests on to.
    watch
        Is told what goes on.
    """

    folder: Path
    engine: Engine
    cards: Sequence[ModelCard]
    changes: dict[str, Any] = field(default_factory=dict)
    identities: Sequence[Identity] = (SharedToken(SecretStr(TOKEN)),)
    triton_http: TritonHttp | None = None
    watch: Watch | None = None
    url: str = ""

    def __enter__(self) -> Self:
        """Start, and wait until requests are answered."""
        settings = Settings(data_dir=self.folder, **self.changes)
        app = build_app(
            settings,
            engine=self.engine,
            packages=FakePackages(self.cards),
            identities=self.identities,
            triton_http=self.triton_http,
            watch=self.watch,
        )
        self.app = app
        self._socket = listen("127.0.0.1", 0)
        ready = threading.Event()
        self._server: Server = make_server(app, settings, ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        if not ready.wait(START_S):
            raise TimeoutError("the backend did not start")
        self.url = address_of(self._socket)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and wait for the end."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def client(self, **headers: str) -> httpx.Client:
        """Return an HTTP client that is signed in."""
        given = {
            "Authorization": f"Bearer {TOKEN}",
            wire.PROTOCOL_HEADER: str(wire.PROTOCOL_VERSION),
        }
        return httpx.Client(base_url=self.url, headers=given | headers, timeout=30.0)


def wait_until(check: Any, timeout_s: float = 30.0) -> None:  # noqa: ANN401 # any callable
    """Wait until `check()` is true, or fail."""
    end_s = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.01)  # nothing tells when to look again
