"""What is believed of an issuer, and of the ID tokens that it signs."""

import json
import time
from typing import Any

import pytest

from napari_hmz.auth.identity_token import person_of
from napari_hmz.auth.issuer import DISCOVERY, discover, same_issuer
from napari_hmz.errors import IssuerUnavailable, SignInFailed
from napari_hmz.testing.issuer import DESKTOP, Issuer
from napari_hmz.testing.scripted_server import Answer, ScriptedServer


def document(url: str, **changes: object) -> bytes:
    told = {
        "issuer": url,
        "authorization_endpoint": f"{url}/auth",
        "token_endpoint": f"{url}/token",
        "jwks_uri": f"{url}/jwks",
    }
    return json.dumps({**told, **changes}).encode()


def test_a_slash_at_the_end_makes_no_difference_and_nothing_else_does_not() -> None:
    assert same_issuer("https://login.helmholtz.de/oauth2/", "https://login.helmholtz.de/oauth2")
    assert not same_issuer(
        "https://login.helmholtz.de/oauth2//", "https://login.helmholtz.de/oauth2"
    )
    assert not same_issuer("https://LOGIN.helmholtz.de", "https://login.helmholtz.de")


def test_the_real_one_says_where_it_answers(issuer: Issuer) -> None:
    found = discover(issuer.url + "/")
    assert found.issuer == issuer.url
    assert found.device
    assert found.revocation


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example.org"},
        {"token_endpoint": "http://evil.example.org/token"},
        {"token_endpoint": ""},
        {"code_challenge_methods_supported": ["plain"]},
    ],
)
def test_what_cannot_be_trusted_is_refused(
    server: ScriptedServer, changes: dict[str, object]
) -> None:
    server.on("GET", DISCOVERY, lambda _: Answer(200, document(server.url, **changes)))
    with pytest.raises(SignInFailed):
        discover(server.url)


def test_an_issuer_in_the_clear_is_not_even_asked() -> None:
    with pytest.raises(SignInFailed, match="https"):
        discover("http://login.example.org")


@pytest.mark.parametrize("answer", [Answer(503), Answer(200, b"<html>"), Answer(200, b"[]")])
def test_what_does_not_answer_as_an_issuer_is_unavailable(
    server: ScriptedServer, answer: Answer
) -> None:
    server.on("GET", DISCOVERY, lambda _: answer)
    with pytest.raises(IssuerUnavailable):
        discover(server.url)


def claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 # JSON
    told = {"iss": issuer.url, "sub": "7", "aud": DESKTOP, "nonce": "n", "exp": time.time() + 60}
    return {**told, **changes}


def test_an_id_token_names_the_person(issuer: Issuer) -> None:
    endpoints = discover(issuer.url)
    for algorithm in ("RS256", "ES256"):
        token = issuer.sign(claims(issuer, iss=issuer.url + "/", name="Ada"), alg=algorithm)
        assert person_of(token, endpoints, DESKTOP, "n") == "Ada"
    assert person_of(issuer.sign(claims(issuer)), endpoints, DESKTOP, None) == "7"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.org"},
        {"aud": "another-client"},
        {"aud": [DESKTOP, "another"], "azp": "another"},
        {"nonce": "of another sign-in"},
        {"exp": 1},
        {"exp": None},
        {"sub": ""},
    ],
)
def test_an_id_token_of_something_else_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    token = issuer.sign({k: v for k, v in claims(issuer, **changes).items() if v is not None})
    with pytest.raises(SignInFailed):
        person_of(token, discover(issuer.url), DESKTOP, "n")


def test_an_id_token_that_the_issuer_did_not_sign_is_refused(issuer: Issuer) -> None:
    token = issuer.sign(claims(issuer))
    head, body, signature = token.split(".")
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    forged = (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.AAAA", "x", "")
    for text in forged:
        with pytest.raises(SignInFailed):
            person_of(text, discover(issuer.url), DESKTOP, "n")
