"""`hmz-backend check`: what is wrong with an issuer, its clock and its certificate is named."""

from collections.abc import Callable
from typing import Any

import pytest

from napari_hmz.testing.backend_process import free_port

from .conftest import Imitation, Place, expect, findings


def issuer_of(place: Place, url: str) -> None:
    lines = place.config.read_text().splitlines()
    changed = [f'url = "{url}"' if line.startswith("url = ") else line for line in lines]
    place.config.write_text("\n".join(changed).replace('"introspection", "userinfo"', ""))


def described(url: str, **more: object) -> dict[str, Any]:
    return {"/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/jwks"} | more}


def test_an_issuer_that_does_not_answer_is_named(place: Place) -> None:
    issuer_of(place, f"http://127.0.0.1:{free_port()}")
    expect(place, "issuer", "cannot be reached")


def test_an_issuer_of_another_spelling_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    server.documents = described("https://login.example.de/OAuth2")
    issuer_of(place, server.url)
    expect(place, "issuer", "calls itself https://login.example.de/OAuth2")


def test_an_address_that_is_no_issuer_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    issuer_of(place, imitate().url)
    expect(place, "issuer", "There is no issuer")


def test_keys_that_are_of_no_use_are_named(place: Place, imitate: Callable[[], Imitation]) -> None:
    server = imitate()
    shared = {"kty": "oct", "k": "bm90aGluZyB0aGF0IGFueWJvZHkgc2hvdWxkIGtub3c", "alg": "HS256"}
    server.documents = described(server.url) | {"/jwks": {"keys": [shared]}}
    issuer_of(place, server.url)
    expect(place, "issuer", "keys are of no use")


def test_an_issuer_that_cannot_do_what_is_asked_of_it_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    server.documents = described(
        server.url,
        code_challenge_methods_supported=["plain"],
        scopes_supported=["openid"],
        claims_supported=["sub"],
    )
    issuer_of(place, server.url)
    words = " ".join(one["words"] for one in findings(place))
    for expected in ("from napari", "PKCE", "no scopes", "tells groups"):
        assert expected in words


@pytest.mark.parametrize(("ahead_s", "level"), [(3600, "wrong"), (-3600, "wrong"), (30, "warning")])
def test_a_clock_that_is_wrong_is_named(
    place: Place, imitate: Callable[[], Imitation], ahead_s: float, level: str
) -> None:
    server = imitate()
    server.documents = described(server.url)
    server.ahead_s = ahead_s
    issuer_of(place, server.url)
    expect(place, "clock", "behind" if ahead_s > 0 else "ahead of", level)


@pytest.mark.parametrize(
    ("days", "words", "level"),
    [(-1, "certificate has expired", "wrong"), (3, "ends in 3 days", "warning")],
    ids=["ended", "soon"],
)
def test_a_certificate_that_has_ended_or_will_soon_is_named(
    place: Place, imitate: Callable[[int], Imitation], days: int, words: str, level: str
) -> None:
    server = imitate(days)
    server.documents = described(server.url)
    issuer_of(place, server.url)
    expect(place, "certificates", words, level)
