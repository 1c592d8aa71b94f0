"""Bodies that are too long, too deep or too slow, and texts that cannot be kept."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.routes import words_limit
from hmz_backend.routes.words_limit import MOST_BYTES, MOST_DEEP, check_words
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from napari_hmz.errors import RequestError
from napari_hmz.schema import Problem, wire

POSTED = [
    wire.VOLUMES,
    wire.PLANS,
    wire.RUNS,
    wire.TOKENS,
    wire.focus("x"),
    wire.cancel("x"),
    wire.shares(wire.run("x")),
    wire.absent("x"),
    f"{wire.KSERVE}/repository/index",
    f"{wire.API}/nothing",
]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBackend]:
    folder: Path = tmp_path_factory.mktemp("words")
    with LiveBackend(folder, FakeEngine(MODELS), CARDS) as found:
        yield found


@pytest.mark.parametrize("path", POSTED)
def test_a_body_that_is_too_long_is_refused(backend: LiveBackend, path: str) -> None:
    body = b'{"name": "' + b"x" * MOST_BYTES + b'"}'
    with backend.client() as client:
        answer = client.post(path, content=body)
    found = Problem.model_validate_json(answer.content)
    assert (answer.status_code, found.code) == (413, "request-too-large")


def test_a_body_without_an_announced_length_is_refused_as_soon_as_it_is_too_long(
    backend: LiveBackend,
) -> None:
    sent = []

    def pieces() -> Iterator[bytes]:
        for _ in range(4 * MOST_BYTES // 65536):
            sent.append(1)
            yield b" " * 65536

    with backend.client() as client:
        answer = client.post(wire.RUNS, content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_body_that_is_too_deep_is_refused_whatever_reads_it(
    backend: LiveBackend, opening: bytes
) -> None:
    closing = opening.replace(b'"a":', b"").translate(bytes.maketrans(b"[{", b"]}"))[::-1]
    bodies = [
        opening * (MOST_DEEP + 1) + b"1" + closing * (MOST_DEEP + 1),
        opening * 100_000 + b"1" + closing * 100_000,
        opening * 100_000,
    ]
    with backend.client(**{"Content-Type": "text/json"}) as client:
        for path in POSTED:
            for body in bodies:
                answer = client.post(path, content=body)
                found = Problem.model_validate_json(answer.content)
                assert (answer.status_code, found.code) == (422, "request")
                assert "deep" in found.detail


def test_a_text_with_the_character_0_is_refused(backend: LiveBackend) -> None:
    with backend.client() as client:
        answers = [
            client.post(wire.TOKENS, json={"name": "a\0b"}),
            client.get(wire.MODELS, params={"q": "\0"}),
            client.get(wire.volume("%00")),
            client.get(wire.model("copy", "1%00")),
        ]
    assert [answer.status_code for answer in answers] == [422, 422, 404, 404]


def test_a_body_that_does_not_come_ends(
    backend: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_limit, "COMES_S", 0.2)
    connection = http.client.HTTPConnection(backend.url.removeprefix("http://"), timeout=20)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Length": "100"}
    connection.request("POST", wire.RUNS, body=b"{", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 422
    assert b"did not come" in answer.read()
    connection.close()


NESTED = st.recursive(
    st.none() | st.text(alphabet='[]{}"\\a') | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=20,
)


def depth(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(inner, list) else 0


@given(NESTED, st.integers(0, MOST_DEEP + 10))
def test_depth_is_that_of_the_parsed_words_whatever_stands_in_texts(
    value: object, more: int
) -> None:
    for _ in range(more):
        value = [value]
    body = json.dumps(value).encode()
    if b"\\u0000" in body:
        return
    if depth(value) <= MOST_DEEP:
        check_words(body)
    else:
        with pytest.raises(RequestError):
            check_words(body)


def test_looking_through_a_long_body_takes_no_time() -> None:
    for piece in (b"[]", b"[", b"{}[]", b'"', b"[[]]", b'"\\"', b"]["):
        body = (piece * MOST_BYTES)[:MOST_BYTES]
        done = threading.Event()

        def look(body: bytes = body, done: threading.Event = done) -> None:
            with suppress(RequestError):
                check_words(body)
            done.set()

        threading.Thread(target=look, daemon=True).start()
        assert done.wait(20)  # milliseconds; a slow way would take minutes
