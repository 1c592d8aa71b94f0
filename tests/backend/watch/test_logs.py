"""The log: one line an entry, about one request, run and block, and never a secret or a name."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.request_id import current_request
from hmz_backend.runs.threads import in_thread
from hmz_backend.testing.cards import CARDS, MODELS, VERSION
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from hmz_backend.testing.user import User
from hmz_backend.watch.about import about, known
from hmz_backend.watch.log_lines import JsonLines, PlainLines
from hmz_backend.watch.secrets import without_secrets
from napari_hmz.schema import wire

IMAGE = np.random.default_rng(5).integers(1, 256, (20, 50, 44)).astype("uint8")
CHUNKS = (8, 16, 16)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLXNvbWVib2R5"
OWN = f"hmz_{'0a' * 8}_{'s' * 43}"
VISITOR = f"anonymous_{'v' * 30}"
SECRETS = (JWT, OWN, VISITOR, "hunter2-of-the-query", "hunter2-of-the-body", TOKEN)


class Log:
    """What is logged while the test lasts, as both forms have it."""

    def __init__(self) -> None:
        self.plain, self.json = io.StringIO(), io.StringIO()

    def lines(self, **wanted: object) -> list[dict[str, Any]]:
        """Return the lines that have these words."""
        found = [json.loads(line) for line in self.json.getvalue().splitlines()]
        return [line for line in found if wanted.items() <= line.items()]

    @property
    def text(self) -> str:
        """All of it."""
        return self.plain.getvalue() + self.json.getvalue()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    made, root = Log(), logging.getLogger()
    handlers = [logging.StreamHandler(made.plain), logging.StreamHandler(made.json)]
    for handler, form in zip(handlers, (PlainLines(), JsonLines()), strict=True):
        handler.setFormatter(form)
        root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)
    yield made
    root.setLevel(before)
    for handler in handlers:
        root.removeHandler(handler)


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("hmz_backend.x", logging.INFO, "x.py", 1, "%s", (message,), None)


@given(st.text())
def test_whatever_a_client_sends_an_entry_is_one_line(message: str) -> None:
    plain = PlainLines().format(record(message))
    assert len(plain.splitlines()) == 1
    told = json.loads(JsonLines().format(record(message)))
    assert told["message"] == without_secrets(message)
    assert len(JsonLines().format(record(message)).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"Authorization: Bearer {'x' * 20}", "x" * 20),
        (f"of {JWT}.", JWT),
        (f"/v1/tokens/{OWN}", OWN),
        (VISITOR, VISITOR),
        ("POST /x?access_token=abc123def&y=1", "abc123def"),
        ("{'client_secret': 'abc123def'}", "abc123def"),
        ('{"password": "abc123def"}', "abc123def"),
        ("postgresql+psycopg://hmz:abc123def@db/hmz", "abc123def"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, hidden: str) -> None:
    shown = without_secrets(text)
    assert hidden not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text", ["GET /v1/models/nuclei-3d 200 4 ms", "a run of nuclei 1.0.0 goes", "http://a:80/b@c"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_secrets(text) == text


def test_secrets_of_header_query_and_body_are_in_no_line(tmp_path: Path, log: Log) -> None:
    def fail(_request: TileRequest) -> dict[str, Any]:
        raise RuntimeError(f"the client said Bearer {JWT}")

    engine = FakeEngine({**MODELS, ("copy", VERSION): fail})
    with LiveBackend(tmp_path, engine, CARDS) as live, live.client() as http:
        query, body = "access_token=hunter2-of-the-query", {"token": "hunter2-of-the-body"}
        for token in (JWT, OWN, VISITOR):
            shown = {"Authorization": f"Bearer {token}"}
            for path in (wire.MODELS, wire.RUNS, "/v2", f"/v1/tokens/{token}"):
                httpx.get(f"{live.url}{path}?{query}", headers=shown)
                httpx.post(f"{live.url}{path}?{query}", headers=shown, json=body)
        for path in (wire.VOLUMES, wire.RUNS, wire.TOKENS):
            http.post(f"{path}?{query}", json=body)
            http.post(path, content=b'{"token": "hunter2-of-the-body"')
        user = User(http, IMAGE, CHUNKS)
        user.announce()
        assert user.finish(user.start("copy").id).state == "failed"
    assert log.lines(status=401)
    assert any("a block failed unexpectedly" in line["message"] for line in log.lines())
    for secret in SECRETS:
        assert secret not in log.text


def test_an_access_line_has_a_pseudonym_and_no_name(tmp_path: Path, log: Log) -> None:
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS) as live, live.client() as http:
        given = {wire.REQUEST_ID_HEADER: "asked-by-me"}
        http.get(wire.MODELS, headers=given, params={"q": "of no concern"})
        httpx.get(live.url + wire.MODELS, headers={wire.REQUEST_ID_HEADER: "by-nobody"})
        pseudonym = live.app.state.services.readings.watch.pseudonyms.of("local", "owner")
    (line,) = log.lines(request="asked-by-me")
    assert line["person"] == pseudonym
    assert (line["method"], line["route"], line["status"]) == ("GET", wire.MODELS, 200)
    assert line["sent"] > 0
    (refused,) = log.lines(request="by-nobody")
    assert "person" not in refused
    assert f"[request=asked-by-me person={pseudonym}]" in log.plain.getvalue()
    assert "owner" not in json.dumps([line, refused])
    assert "of no concern" not in log.text


def test_lines_of_a_run_and_its_blocks_name_the_request_that_began_it(
    tmp_path: Path, log: Log
) -> None:
    def fail(_request: TileRequest) -> dict[str, Any]:
        raise RuntimeError

    engine = FakeEngine({**MODELS, ("copy", VERSION): fail})
    with LiveBackend(tmp_path, engine, CARDS) as live:
        with live.client(**{wire.REQUEST_ID_HEADER: "the-beginning"}) as http:
            user = User(http, IMAGE, CHUNKS)
            user.announce()
            run = user.start("copy").id
        with live.client() as http:  # other requests bring the chunks
            User(http, IMAGE, CHUNKS, volume=user.volume).finish(run)
    lines = log.lines(request="the-beginning", run=run)
    blocks = [line for line in lines if "block" in line]
    assert blocks, "the block that failed"
    assert "RuntimeError" in blocks[0]["trace"]
    messages = [line["message"] for line in lines if "block" not in line]
    assert f"a run of copy {VERSION} goes" in messages
    assert "a run of copy has ended: failed" in messages


def test_threads_know_what_their_work_is_about() -> None:
    async def ask() -> tuple[object, str]:
        with ThreadPoolExecutor(1) as threads, about(run="r", block=3):
            return await in_thread(threads, known), await in_thread(threads, current_request)

    assert asyncio.run(ask())[0] == {"run": "r", "block": 3}
    assert known() == {}
