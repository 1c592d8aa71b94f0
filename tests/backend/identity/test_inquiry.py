import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from hmz_backend.identity.inquiry import LARGEST, PAUSE_S, Inquiry
from hmz_backend.testing.paper_issuer import Hands
from napari_hmz.errors import IssuerUnavailable

SEEN: list[dict[str, str]] = []


class Peculiar(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name is the library's
        SEEN.append(dict(self.headers))
        kind = self.path.strip("/")
        status = int(kind) if kind.isdigit() else 200
        body = {"large": b'"' + b"x" * LARGEST + b'"', "text": b"hello", "list": b"[1]"}.get(
            kind, json.dumps({"path": self.path}).encode()
        )
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:  # as above
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 # as above
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Peculiar) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["302", "500", "503", "429", "large", "text", "list"])
def test_an_answer_of_no_use_is_no_no(url: str, path: str) -> None:
    with pytest.raises(IssuerUnavailable) as caught:
        asyncio.run(Inquiry().get(f"{url}/{path}", SecretStr("Bearer s3cret")))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_no_is_an_answer(url: str, status: int) -> None:
    answer = asyncio.run(Inquiry().get(f"{url}/{status}"))
    assert (answer.status, answer.body) == (status, {})


def test_a_redirect_gets_no_token(url: str) -> None:
    SEEN.clear()
    with pytest.raises(IssuerUnavailable):
        asyncio.run(Inquiry().get(f"{url}/302", SecretStr("Bearer x")))
    assert len(SEEN) == 1


def test_client_and_secret_are_encoded_as_forms_are(url: str) -> None:
    SEEN.clear()
    asyncio.run(Inquiry().post(f"{url}/x", {"token": "t"}, "my client", "a:b%c"))
    assert SEEN[0]["Authorization"] == "Basic bXkrY2xpZW50OmElM0FiJTI1Yw=="


def test_one_that_does_not_answer_is_left_alone_for_a_while(url: str) -> None:
    hands = Hands()
    inquiry = Inquiry(hands.steady_s)

    async def check() -> None:
        nobody = "http://127.0.0.1:1/x"
        for words in ("ConnectError", "just not answered"):
            with pytest.raises(IssuerUnavailable, match=words):
                await inquiry.get(nobody)
        assert (await inquiry.get(f"{url}/other")).status == 200  # others are asked
        hands.passed_s += PAUSE_S + 1
        with pytest.raises(IssuerUnavailable, match="ConnectError"):
            await inquiry.get(nobody)

    asyncio.run(check())
