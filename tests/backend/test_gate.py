"""What every answer carries, and which web pages may read one."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from hmz_backend.routes.gate import SAFE
from hmz_backend.settings import Settings
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from napari_hmz.schema import wire

PAGE = "https://zoo.example.de"


@pytest.fixture
def backend(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LiveBackend]:
    changes = {"cors_origins": request.param}
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS, changes) as found:
        yield found


def asked(backend: LiveBackend, origin: str) -> httpx.Response:
    with backend.client(Origin=origin) as client:
        return client.get(wire.MODELS)


def preflight(backend: LiveBackend, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": f"authorization, {wire.DIGEST_HEADER.lower()}",
    }
    return httpx.options(backend.url + wire.chunk("x", "c/0"), headers=headers)


def opened(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("backend", [()], indirect=True)
def test_no_page_may_read_an_answer_unless_the_admin_says_so(backend: LiveBackend) -> None:
    for origin in (PAGE, "null", "http://127.0.0.1:1", "http://evil.example"):
        assert not opened(asked(backend, origin))
        refused = preflight(backend, origin)
        assert refused.status_code >= 400
        assert not opened(refused)


@pytest.mark.parametrize("backend", [(PAGE,)], indirect=True)
def test_pages_of_named_origins_may_and_no_others(backend: LiveBackend) -> None:
    allowed = asked(backend, PAGE)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-credentials" not in allowed.headers  # tokens are shown, not sent
    assert preflight(backend, PAGE).status_code == 200
    for origin in ("https://evil.example", PAGE + ".evil.example", PAGE.replace("https", "http")):
        assert "access-control-allow-origin" not in asked(backend, origin).headers
        assert "access-control-allow-origin" not in preflight(backend, origin).headers


@pytest.mark.parametrize("backend", [()], indirect=True)
def test_every_answer_tells_browsers_that_it_is_no_page(backend: LiveBackend) -> None:
    with backend.client() as client:
        answers = [
            client.get(wire.HEALTH),
            client.get(wire.MODELS),
            client.get(wire.MODELS, headers={"Authorization": "Bearer no"}),
            client.get("/nothing"),
            client.get(f"{wire.KSERVE}/models/no"),
            client.put(wire.chunk("x", "c/0"), content=b"x"),
            client.post(wire.RUNS, content=b"["),
        ]
    assert {answer.status_code for answer in answers} == {200, 401, 404, 422}
    for answer in answers:
        assert {name: answer.headers[name] for name in SAFE} == SAFE
        assert "server" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "zoo.example.de", f"{PAGE}/", f"{PAGE}/page", "null", ""])
def test_what_is_no_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        Settings(cors_origins=(origin,))
