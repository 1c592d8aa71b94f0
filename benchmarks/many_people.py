"""A backend for many people, in a process of its own: whoever names themselves is let in.

`python -m benchmarks.many_people FOLDER PACKAGE INSTANCES` serves until it is stopped.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hmz_backend.app import build_app
from hmz_backend.cli.chosen_engine import choose_engine
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.server import (
    address_of,
    keep_memory,
    listen,
    make_server,
    write_handshake,
)
from hmz_backend.settings import Settings
from hmz_backend.watch.log_lines import set_up_logging
from hmz_backend.zoo.catalogue import Zoo

START_TIMEOUT_S = 60.0


class Everybody:
    """Takes the token for the name: an identity for measuring only."""

    async def identify(self, credential: Credential) -> Principal | None:
        """Return whoever the token names."""
        return Principal("benchmark", credential.bearer) if credential.bearer else None


@contextmanager
def many_people(folder: Path, package: Path, instances: int) -> Iterator[str]:
    """Serve one package with so many worker processes; gives the address, where a token is a name.

    Parameters
    ----------
    folder
        For everything that the backend writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handshake = folder / "handshake.json"
    command = [sys.executable, "-m", "benchmarks.many_people", str(folder), str(package)]
    with (folder / "backend.log").open("wb") as log:
        process = subprocess.Popen([*command, str(instances)], stdout=log, stderr=log)
        try:
            end_s = time.monotonic() + START_TIMEOUT_S
            while not handshake.exists():
                if process.poll() is not None or time.monotonic() > end_s:
                    raise RuntimeError(f"the backend did not start: see {log.name}")
                time.sleep(0.05)  # the handshake file is the only sign that it listens
            yield str(json.loads(handshake.read_text())["url"])
        finally:
            process.terminate()
            process.wait()


def main(folder: Path, package: Path, instances: int) -> None:
    """Serve until stopped."""
    set_up_logging()
    keep_memory()
    zoo = Zoo([package])
    settings = Settings(data_dir=folder / "data", models=(package,), workers=instances)
    with ExitStack() as stack:
        app = build_app(
            settings,
            engine=choose_engine(settings, zoo, stack).engine,
            packages=zoo,
            identities=[Everybody()],
        )
        opened = stack.enter_context(listen("127.0.0.1", 0))
        handshake, url = folder / "handshake.json", address_of(opened)
        make_server(app, settings, lambda: write_handshake(handshake, url, "")).run([opened])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
