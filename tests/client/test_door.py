"""The door: work waits there for a person who must sign in again, and goes on once they have."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from napari_hmz import errors
from napari_hmz.auth import Session, SignIns
from napari_hmz.door import Account, Door, account_of
from napari_hmz.http import Http
from napari_hmz.schema import CredentialKind, Me, SignIn, SignInIssuer, wire
from napari_hmz.testing.issuer import API, DESKTOP, SCOPE, Issuer
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer

NONE: TypeAdapter[list[int]] = TypeAdapter(list[int])


def wait_until(check: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.01)  # nothing tells when to look again


@pytest.fixture
def backend(server: ScriptedServer, issuer: Issuer) -> ScriptedServer:
    issuer.account("wanda")
    way = SignInIssuer(
        issuer=issuer.url, client_id=DESKTOP, resource=API, scopes=tuple(SCOPE.split())
    )
    ways = SignIn(issuers=(way,)).model_dump_json().encode()
    server.on("GET", wire.SIGN_IN, lambda _: Answer(200, ways))
    return server


@pytest.fixture
def door(issuer: Issuer) -> Iterator[Door]:
    wanda = Person(issuer, "wanda")
    door = Door(SignIns(lambda: None), wanda)
    yield door
    door.close()
    wanda.join()


def test_transfers_wait_for_the_person_and_go_on(
    backend: ScriptedServer, door: Door, tmp_path: Path
) -> None:
    url, stale = backend.url, set[str]()

    def runs(request: Request) -> Answer:
        token = request.headers.get("authorization", "")
        return Answer(401 if token in stale or not token else 200, b"[]")

    backend.on("GET", wire.RUNS, runs)
    door.sign_in(url)
    wait_until(lambda: door.shown(url).changes == 1)
    session = Session(url, door.sign_ins, tmp_path, door.ask)
    with Http(url, credential=session) as http, ThreadPoolExecutor(4) as threads:
        assert http.get(wire.RUNS, NONE) == []
        stale.add(f"Bearer {session()}")
        door.sign_ins.forget(url)  # it has ended, and nothing renews it
        gets: list[Future[list[int]]] = [
            threads.submit(http.get, wire.RUNS, NONE) for _ in range(4)
        ]
        wait_until(lambda: door.shown(url).awaited)
        assert not any(get.done() for get in gets)
        door.sign_in(url)
        assert [get.result(30) for get in gets] == [[]] * 4
    assert not door.shown(url).awaited


def test_who_signs_out_or_closes_lets_nobody_wait(backend: ScriptedServer, door: Door) -> None:
    with ThreadPoolExecutor(2) as threads:
        asked = threads.submit(door.ask, backend.url, again=True)
        wait_until(lambda: door.shown(backend.url).awaited)
        door.sign_out(backend.url)
        assert asked.result(30) is False
        wait_until(lambda: not door.shown(backend.url).busy)
        asked = threads.submit(door.ask, backend.url, again=True)
        wait_until(lambda: door.shown(backend.url).awaited)
        door.close()
        assert asked.result(30) is False
    assert door.ask(backend.url, again=False) is False, "a stranger is not waited for"


def test_an_attempt_can_be_cancelled_and_is_no_error(
    backend: ScriptedServer, issuer: Issuer
) -> None:
    class Idle:
        def page(self, url: str, /) -> None:
            """Somebody who does not look at it."""

        def code(self, url: str, code: str, /) -> None:
            raise AssertionError

    door = Door(SignIns(lambda: None), Idle())
    door.sign_in(backend.url)
    assert door.shown(backend.url).busy
    door.cancel()
    wait_until(lambda: not door.shown(backend.url).busy)
    assert door.shown(backend.url).error is None
    assert door.shown(backend.url).changes == 0


def test_why_it_has_failed_is_shown(server: ScriptedServer, door: Door) -> None:
    server.on("GET", wire.SIGN_IN, lambda _: Answer(200, SignIn().model_dump_json().encode()))
    door.sign_in(server.url)
    wait_until(lambda: not door.shown(server.url).busy)
    assert isinstance(door.shown(server.url).error, errors.SignInFailed)


class Known:
    def __init__(self, kind: CredentialKind | type[errors.HmzError]) -> None:
        self.kind = kind

    def me(self) -> Me:
        if isinstance(self.kind, type):
            raise self.kind
        return Me(issuer="i", subject="7", name="Ada", credential=self.kind)


@pytest.mark.parametrize(
    ("kind", "account"),
    [
        ("issuer", Account("Ada", personal=True)),
        ("token", Account("Ada", personal=True)),
        ("anonymous", Account(personal=True)),
        ("shared", Account("Ada")),
        (errors.NotSignedIn, Account(personal=True)),
        (errors.NotFound, Account()),
    ],
)
def test_who_one_is_there(kind: CredentialKind | type[errors.HmzError], account: Account) -> None:
    assert account_of(Known(kind)) == account
