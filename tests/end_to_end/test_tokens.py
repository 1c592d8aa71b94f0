"""`hmz tokens` against a real backend: made, shown once, listed, used, taken back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from napari_hmz import connect
from napari_hmz.cli.tokens import tokens
from napari_hmz.errors import NotSignedIn, RequestError, ScopeMissing


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with LiveBackend(tmp_path, FakeEngine(MODELS), CARDS) as live:
        yield live.url


def told(url: str, *words: str, token: str = TOKEN) -> str:
    done = CliRunner().invoke(tokens, [*words, "--url", url], env={"HMZ_TOKEN": token})
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_token_is_made_used_listed_and_taken_back(url: str) -> None:
    token = told(url, "create", "nightly [job]", "--scope", "read", "--days", "3").strip()
    assert token.startswith("hmz_")
    assert "\n" not in token, "a script can take it as it is"
    with connect(url, token) as client:
        assert client.me().subject == "owner"
        assert client.me().scopes == ("read",)
        assert client.models()
    listed = told(url, "list")
    assert "nightly [job]" in listed
    assert token not in listed
    (one,) = json.loads(told(url, "list", "--json"))
    told(url, "revoke", one["id"])
    with connect(url, token) as client, pytest.raises(NotSignedIn):
        client.me()
    assert "no token" in told(url, "list")


def test_json_has_everything(url: str) -> None:
    made = json.loads(told(url, "create", "script", "--json"))
    assert made["scopes"] == ["read", "run"]
    assert made["token"].split("_")[1] == made["id"]


def test_what_cannot_be_made_is_told_without_a_traceback(url: str) -> None:
    with pytest.raises(RequestError, match="scopes"):
        told(url, "create", "x", "--scope", "everything")
    with pytest.raises(RequestError, match="365"):
        told(url, "create", "x", "--days", "1000")
    token = told(url, "create", "x").strip()
    with pytest.raises(ScopeMissing):
        told(url, "create", "another", token=token)
