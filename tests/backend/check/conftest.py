"""A right config of a backend on this machine, and servers that are not right."""

import json
import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from hmz_backend.check import chosen
from hmz_backend.cli import app
from hmz_backend.database.connection import open_database
from hmz_backend.testing.postgres import fresh_database
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.testing.issuer import API, BACKEND, DESKTOP, Issuer

SHELL = CliRunner()
RIGHT = """
data_dir = "{folder}/data"
database_url = "{database}"
database_password_file = "{folder}/database-password"
port = 0
models = ["{folder}/models"]
staging_quota_bytes = 50_000_000
stream_bytes = 20_000_000
chunk_limit_bytes = 10_000_000
disk_reserve_bytes = 1_000_000

[[issuers]]
url = "{issuer}/"
audiences = ["{api}"]
clients = ["{desktop}"]
authorities = ["login.helmholtz.de"]
check = ["keys", "introspection", "userinfo"]
client_id = "{client}"
client_secret_file = "{folder}/client-secret"

[issuers.roles.admin]
groups = ["urn:geant:helmholtz.de:group:Admins#login.helmholtz.de"]

[issuers.desktop]
client_id = "{desktop}"

[share_weights]
"urn:geant:helmholtz.de:group:Imaging#login.helmholtz.de" = 2.0

[model_access."components"]
groups = ["urn:geant:helmholtz.de:group:Imaging#login.helmholtz.de"]
"""


@dataclass
class Place:
    """Where the right config and all that it names lie."""

    folder: Path
    config: Path
    database: str
    server: str
    stack: ExitStack
    has_own: bool = False

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def add(self, text: str) -> None:
        self.config.write_text(text + self.config.read_text())

    def drop_password(self) -> None:
        self.change("database_password_file", "#")

    def take_own_database(self) -> None:
        """Change nothing that other tests look at."""
        if not self.has_own:
            own = self.stack.enter_context(fresh_database(self.server))
            open_database(own).dispose()
            self.change(self.database, own)
            self.database, self.has_own = own, True


def findings(place: Place) -> list[dict[str, str]]:
    done = SHELL.invoke(app, ["check", "--config", str(place.config), "--json"])
    told = json.loads(done.stdout)
    found: list[dict[str, str]] = [one for one in told["findings"] if one["level"] != "ok"]
    is_wrong = any(one["level"] == "wrong" for one in found)
    assert (done.exit_code, told["ok"]) == (int(is_wrong), not is_wrong)
    assert BACKEND[1] not in done.output
    return found


def expect(place: Place, subject: str, words: str, level: str = "wrong") -> None:
    found = findings(place)
    fitting = [one for one in found if words in one["words"] and subject in one["subject"]]
    assert fitting, found
    assert fitting[0]["level"] == level
    assert fitting[0]["remedy"]


@pytest.fixture(scope="session")
def right_database(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as database:
        open_database(database).dispose()
        yield database


@pytest.fixture
def place(
    tmp_path: Path,
    postgres_server: str,
    right_database: str,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    for name in [name for name in os.environ if name.startswith("HMZ_")]:
        monkeypatch.delenv(name)
    (tmp_path / "data").mkdir(mode=0o700)
    models = tmp_path / "shipped"
    shutil.copytree(shipped_models() / "components", models / "components")
    monkeypatch.setattr(chosen, "shipped_models", lambda: models)
    (tmp_path / "models").mkdir()
    client, secret = BACKEND
    for name, text in (("client-secret", secret), ("database-password", "not-asked-for-here")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o640)
    config = tmp_path / "backend.toml"
    names = {"folder": tmp_path, "database": right_database, "issuer": issuer.url}
    config.write_text(RIGHT.format(**names, client=client, api=API, desktop=DESKTOP))
    with ExitStack() as stack:
        yield Place(tmp_path, config, right_database, postgres_server, stack)


@dataclass
class Imitation:
    """A web server that answers with documents of a test's own, and with a clock of its own."""

    documents: Mapping[str, Any] = field(default_factory=dict)
    ahead_s: float = 0.0
    uploads: int = 401
    posts: int = 404
    url: str = ""


@pytest.fixture
def imitate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Imitation]]:
    """Start a server; with `days`, over TLS by a certificate that ends in so many days."""
    started: list[ThreadingHTTPServer] = []

    def start(days: int | None = None) -> Imitation:
        made = Imitation()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = made.documents.get(self.path)
                body = json.dumps(found).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.send_response(made.posts)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_PUT(self) -> None:
                self.send_response(made.uploads)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = True

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string(time.time() + made.ahead_s)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base's
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if days is not None:
            scheme = "https"
            server.socket = _tls(tmp_path, days).wrap_socket(server.socket, server_side=True)
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        started.append(server)
        made.url = f"{scheme}://127.0.0.1:{server.server_port}"
        return made

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def _tls(folder: Path, days: int) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    end = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
