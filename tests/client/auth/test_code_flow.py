"""Signing in through a browser, at the real provider."""

import socket
import threading
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from napari_hmz.auth.code_flow import by_browser
from napari_hmz.auth.issuer import discover
from napari_hmz.errors import SignInFailed
from napari_hmz.schema import SignInIssuer
from napari_hmz.testing.backend_process import free_port
from napari_hmz.testing.issuer import Issuer
from napari_hmz.testing.person import Person


def never() -> threading.Event:
    return threading.Event()


def test_a_person_signs_in_and_sees_a_page_that_says_so(
    way: SignInIssuer, wanda: Person, issuer: Issuer
) -> None:
    found, person = by_browser(way, discover(way.issuer), wanda.page, cancelled=never())
    wanda.join()
    assert person == "wanda"
    assert found.access.token.count(".") == 2
    assert found.refresh
    assert "You are signed in" in wanda.seen[0]
    asked = parse_qs(urlsplit(wanda.pages[0]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"][0].startswith("http://127.0.0.1:")
    assert asked["state"] != asked["nonce"]
    for secret in (found.access.token, found.refresh, found.identity or "x"):
        assert secret not in repr(found) + wanda.seen[0] + wanda.pages[0]


def test_who_says_no_is_not_signed_in_and_sees_why(way: SignInIssuer, issuer: Issuer) -> None:
    nobody = Person(issuer, "deny")
    with pytest.raises(SignInFailed, match="the person said no"):
        by_browser(way, discover(way.issuer), nobody.page, cancelled=never())
    nobody.join()
    assert "Not signed in" in nobody.seen[0]


def test_a_return_that_nobody_asked_for_is_turned_away_and_waited_past(
    way: SignInIssuer, wanda: Person
) -> None:
    forged: list[int] = []

    def open_page(url: str) -> None:
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        for query in ("code=stolen&state=guessed", "code=stolen", "error=x"):
            forged.append(httpx.get(f"{back}?{query}", trust_env=False).status_code)
        forged.append(httpx.get(f"{back}/elsewhere", trust_env=False).status_code)
        wanda.page(url)

    _, person = by_browser(way, discover(way.issuer), open_page, cancelled=never())
    assert person == "wanda"
    assert forged == [400, 400, 400, 404]


def test_a_return_from_another_issuer_is_refused(way: SignInIssuer) -> None:
    def open_page(url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        given = {"state": asked["state"][0], "code": "x", "iss": "https://evil.example.org"}
        browser = threading.Thread(
            target=lambda: httpx.get(asked["redirect_uri"][0], params=given, trust_env=False)
        )
        browser.start()

    with pytest.raises(SignInFailed, match="another issuer"):
        by_browser(way, discover(way.issuer), open_page, cancelled=never())


def test_who_gives_up_or_takes_too_long_is_not_waited_for(way: SignInIssuer) -> None:
    cancelled = threading.Event()
    with pytest.raises(SignInFailed, match="cancelled"):
        by_browser(way, discover(way.issuer), lambda _: cancelled.set(), cancelled=cancelled)
    with pytest.raises(SignInFailed, match="has not come back"):
        by_browser(way, discover(way.issuer), lambda _: None, cancelled=never(), patience_s=0.2)


def test_an_issuer_that_wants_fixed_ports_gets_the_first_that_is_free(
    way: SignInIssuer, wanda: Person
) -> None:
    taken, free = free_port(), free_port()
    fixed = way.model_copy(
        update={
            "redirects": (f"http://localhost:{taken}/callback", f"http://localhost:{free}/callback")
        }
    )
    with socket.create_server(("127.0.0.1", taken)):
        _, person = by_browser(fixed, discover(way.issuer), wanda.page, cancelled=never())
    assert person == "wanda"
    asked = parse_qs(urlsplit(wanda.pages[0]).query)
    assert asked["redirect_uri"] == [f"http://localhost:{free}/callback"]


@pytest.mark.parametrize(
    "redirect", ["https://evil.example.org/callback", "http://10.0.0.1/callback", "myapp://x"]
)
def test_a_code_is_never_sent_to_another_machine(way: SignInIssuer, redirect: str) -> None:
    elsewhere = way.model_copy(update={"redirects": (redirect,)})
    with pytest.raises(SignInFailed, match="may not be sent"):
        by_browser(elsewhere, discover(way.issuer), lambda _: None, cancelled=never())
