"""A real nginx with the configuration that is shipped, on ports and folders of a test."""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from napari_hmz.testing.answering import await_answer
from napari_hmz.testing.backend_process import free_port

START_S = 30.0
DEPLOY = Path(__file__).parents[2] / "deploy" / "nginx"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log {folder}/access.log;
    include {folder}/napari-hmz.conf;
}}
"""


@dataclass
class Nginx:
    """Listens with TLS on a free port of 127.0.0.1 while the context lasts.

    Parameters
    ----------
    folder
        Of all its files.
    urls
        The server processes behind it.
    """

    folder: Path
    urls: Sequence[str]
    url: str = field(init=False)

    def __enter__(self) -> Self:
        """Write its files, start it, and wait until it answers."""
        self.folder.mkdir(parents=True)
        self._write()
        self._process = subprocess.Popen(  # noqa: S603 # Debian's
            [_nginx(), "-p", self.folder, "-c", self.folder / "nginx.conf"]
        )
        ask = partial(httpx.get, self.url, verify=self.context())
        await_answer(self._process, ask, httpx.TransportError, within_s=START_S, said=self.said)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()

    def context(self) -> ssl.SSLContext:
        """Return what trusts its certificate, and no other."""
        return ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))

    def status_of_a_body_of(self, size_bytes: int) -> int:
        """Return how it answers the announcement of a body that never comes."""
        place = urlsplit(self.url).netloc
        connection = HTTPSConnection(place, context=self.context(), timeout=START_S)
        try:
            connection.putrequest("PUT", "/v1/volumes/a/chunks/0")
            connection.putheader("Content-Length", str(size_bytes))
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    def said(self) -> str:
        """Return its log of errors."""
        return (self.folder / "error.log").read_text()

    def _write(self) -> None:
        _make_certificate(self.folder)
        port, plain = free_port(), free_port()
        self.url = f"https://127.0.0.1:{port}"
        text = (DEPLOY / "napari-hmz.conf").read_text()
        text = re.sub(r"(?m)^ *listen \[::\].*\n", "", text)
        for before, after in {
            "/etc/nginx/napari-hmz": str(self.folder),
            "/etc/ssl/napari-hmz": str(self.folder),
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen 80;": f"listen 127.0.0.1:{plain};",
        }.items():
            assert before in text
            text = text.replace(before, after)
        (self.folder / "napari-hmz.conf").write_text(text)
        upstream = (DEPLOY / "upstream.conf").read_text()
        names = ("127.0.0.1:8651", "127.0.0.1:8652")
        for name, url in zip(names, self.urls, strict=True):
            upstream = upstream.replace(name, urlsplit(url).netloc)
        (self.folder / "upstream.conf").write_text(upstream)
        user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder, user=user))


def _nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert found, "nginx is not installed (apt-get install nginx-light)"
    return found


def _make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
