"""A sign-in in use: renewed once for everybody, kept nowhere but in the keyring."""

import json
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter

from napari_hmz import errors
from napari_hmz.auth import CommandToken, Session, SignIns
from napari_hmz.auth.kept import KeptCommand, KeptIssuer, KeptToken
from napari_hmz.http import Http
from napari_hmz.schema import SignInIssuer, wire
from napari_hmz.sign_in import sign_in, sign_out
from napari_hmz.testing.issuer import Issuer
from napari_hmz.testing.memory_vault import MemoryVault
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer

NONE: TypeAdapter[list[int]] = TypeAdapter(list[int])


def accepting(accepted: Callable[[str], bool]) -> Callable[[Request], Answer]:
    """Answer only those whose token is accepted."""

    def answer(request: Request) -> Answer:
        if accepted(request.headers.get("authorization", "").removeprefix("Bearer ")):
            return Answer(200, b"[]")
        body = {"title": "x", "status": 401, "code": "not-signed-in"}
        return Answer(401, json.dumps(body).encode(), {"Content-Type": wire.PROBLEM_TYPE})

    return answer


@pytest.fixture
def signed_in(backend: ScriptedServer, sign_ins: SignIns, wanda: Person) -> SignIns:
    assert sign_in(backend.url, sign_ins, wanda) == "wanda"
    return sign_ins


@pytest.fixture
def session(backend: ScriptedServer, signed_in: SignIns, tmp_path: Path) -> Session:
    return Session(backend.url, signed_in, tmp_path)


def kept(vault: MemoryVault) -> KeptIssuer:
    (text,) = vault.texts.values()
    return KeptIssuer.model_validate_json(text)


def test_only_what_renews_a_token_is_kept_and_only_in_the_keyring(
    session: Session, signed_in: SignIns, vault: MemoryVault, tmp_path: Path
) -> None:
    token = session()
    assert token
    (text,) = vault.texts.values()
    assert token not in text
    refresh = kept(vault).refresh
    assert refresh is not None
    for secret in (token, refresh.get_secret_value()):
        assert secret not in f"{session!r}{signed_in!r}{kept(vault)!r}{kept(vault)}"
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_another_process_renews_from_the_keyring(
    session: Session, vault: MemoryVault, backend: ScriptedServer, tmp_path: Path
) -> None:
    first, before = session(), kept(vault).refresh
    other = Session(backend.url, SignIns(lambda: vault), tmp_path)
    second = other()
    assert second
    assert second != first
    assert kept(vault).refresh != before, "the issuer has rotated it"
    assert session.renew(first), "this process goes on with what the other one has kept"


def test_many_threads_renew_once(
    session: Session, backend: ScriptedServer, vault: MemoryVault
) -> None:
    """A second use of one refresh token would end the sign-in."""
    stale = session()
    backend.on("GET", wire.RUNS, accepting(lambda token: token not in ("", stale)))
    with Http(backend.url, credential=session) as http, ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda _: http.get(wire.RUNS, NONE), range(64)))
    assert found == [[]] * 64
    tokens = {r.headers["authorization"] for r in backend.seen if r.path == wire.RUNS}
    assert len(tokens) == 2
    assert session.renew(session()), "what is kept is still worth something"


def test_many_sessions_on_one_keyring_renew_one_after_the_other(
    session: Session, backend: ScriptedServer, vault: MemoryVault, tmp_path: Path
) -> None:
    others = [Session(backend.url, SignIns(lambda: vault), tmp_path) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        tokens = list(threads.map(lambda other: other(), others))
    assert all(tokens)
    assert len(set(tokens)) == 6


def test_a_token_is_renewed_before_it_ends(
    backend: ScriptedServer, sign_ins: SignIns, wanda: Person, issuer: Issuer, tmp_path: Path
) -> None:
    issuer.lifetimes(access_s=1)
    sign_in(backend.url, sign_ins, wanda)
    issuer.lifetimes()
    session = Session(backend.url, sign_ins, tmp_path)
    first = sign_ins.access(backend.url)
    assert first is not None
    while not first.ends_soon:
        time.sleep(0.05)  # until it is nearly over
    second = session()
    assert second not in (None, first.token)
    assert session() == second, "the new one lasts"


def test_a_sign_in_that_was_ended_elsewhere_is_forgotten_and_the_person_asked(
    session: Session, signed_in: SignIns, backend: ScriptedServer, wanda: Person, tmp_path: Path
) -> None:
    stale = session()
    twin = signed_in.kept(backend.url)
    assert twin is not None
    sign_out(backend.url, signed_in)
    signed_in.keep(backend.url, twin)  # what another machine believes to have still
    asked: list[int] = []

    def ask(_: str, again: bool) -> bool:
        asked.append(1)
        return bool(sign_in(backend.url, signed_in, wanda))

    session = Session(backend.url, signed_in, tmp_path, ask)
    backend.on("GET", wire.RUNS, accepting(lambda token: token not in ("", stale)))
    with Http(backend.url, credential=session) as http, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: http.get(wire.RUNS, NONE), range(16))) == [[]] * 16
    assert len(asked) == 1, "once for all threads"


def test_who_does_not_want_to_sign_in_is_asked_once(
    backend: ScriptedServer, sign_ins: SignIns, tmp_path: Path
) -> None:
    asked: list[int] = []

    def decline(_: str, again: bool) -> bool:
        asked.append(1)
        return False

    session = Session(backend.url, sign_ins, tmp_path, decline)
    backend.on("GET", wire.RUNS, accepting(lambda _: False))

    def get(http: Http) -> object:
        with pytest.raises(errors.NotSignedIn):
            http.get(wire.RUNS, NONE)
        return None

    with Http(backend.url, credential=session) as http, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: get(http), range(16)))
    assert len(asked) == 1


def test_without_a_keyring_the_sign_in_lasts_as_long_as_the_process(
    backend: ScriptedServer, wanda: Person, tmp_path: Path
) -> None:
    sign_ins = SignIns(lambda: None)
    assert not sign_ins.lasting
    sign_in(backend.url, sign_ins, wanda)
    session = Session(backend.url, sign_ins, tmp_path)
    first = session()
    assert first
    assert session.renew(first)
    assert session() != first


def test_a_keyring_that_takes_no_more_leaves_it_in_memory(
    backend: ScriptedServer, wanda: Person, tmp_path: Path
) -> None:
    vault = MemoryVault(full=True)
    sign_ins = SignIns(lambda: vault)
    sign_in(backend.url, sign_ins, wanda)
    session = Session(backend.url, sign_ins, tmp_path)
    assert session.renew(session())
    assert not vault.texts


def test_an_issuer_that_is_away_says_nothing_about_the_person(
    own_issuer: Issuer, way: SignInIssuer, vault: MemoryVault, tmp_path: Path
) -> None:
    sign_ins = SignIns(lambda: vault)
    kept = KeptIssuer(issuer=own_issuer.url, client_id="x", refresh=SecretStr("r"))
    sign_ins.keep("http://127.0.0.1:1", kept)
    own_issuer.stop()
    session = Session("http://127.0.0.1:1", sign_ins, tmp_path)
    with pytest.raises(errors.IssuerUnavailable):
        session()
    with (
        Http("http://127.0.0.1:1", credential=session, patience_s=0) as http,
        pytest.raises(errors.IssuerUnavailable),
    ):
        http.get(wire.RUNS, NONE)
    assert sign_ins.kept("http://127.0.0.1:1") == kept


def test_signing_out_revokes_and_forgets(
    session: Session,
    signed_in: SignIns,
    backend: ScriptedServer,
    vault: MemoryVault,
    issuer: Issuer,
) -> None:
    refresh = kept(vault).refresh
    assert refresh is not None
    assert sign_out(backend.url, signed_in)
    assert not vault.texts
    assert session() is None
    assert issuer.introspect(refresh.get_secret_value()) == {"active": False}
    with pytest.raises(errors.NotSignedIn):
        sign_out(backend.url, signed_in)


def test_a_token_of_ones_own_is_kept_in_the_keyring(
    sign_ins: SignIns, vault: MemoryVault, tmp_path: Path
) -> None:
    sign_ins.keep("https://b", KeptToken(token=SecretStr("pasted")))
    session = Session("https://b", SignIns(lambda: vault), tmp_path)
    assert session() == "pasted"
    assert not session.renew("pasted")


def test_a_command_gives_the_token_and_again_when_it_is_not_accepted(
    sign_ins: SignIns, tmp_path: Path
) -> None:
    script = tmp_path / "token"
    script.write_text("one")
    sign_ins.keep("https://b", KeptCommand(command=f"cat {script}"))
    for credential in (
        Session("https://b", sign_ins, tmp_path),
        CommandToken(f"cat {script}"),
    ):
        script.write_text("one")
        assert credential() == "one"
        script.write_text("two")
        assert credential() == "one", "it is not run for every request"
        assert credential.renew("one")
        assert credential() == "two"
        assert not credential.renew("two")
        assert "two" not in repr(credential)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("false", "ended with 1"),
        ("true", "printed no token"),
        ("echo two words", "printed no token"),
        ("no-such-program-at-all", "does not start"),
        ("'", "cannot be read"),
        (" ", "is empty"),
    ],
)
def test_a_command_that_gives_none_says_why_and_not_what_it_printed(
    command: str, said: str
) -> None:
    with pytest.raises(errors.HmzError, match=said) as raised:
        CommandToken(command)()
    assert "two words" not in str(raised.value)


def test_no_sign_in_is_pickled_with_its_secrets() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(SignIns())
