"""`hmz login` where no browser is needed, and the person at a terminal who is asked."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_hmz.auth import SignIns
from napari_hmz.cli import app, terminal
from napari_hmz.errors import NotSignedIn, SettingsInvalid, SignInFailed
from napari_hmz.schema import Health, Me, SignIn, SignInIssuer, wire
from napari_hmz.testing.issuer import API, DESKTOP, SCOPE, Issuer
from napari_hmz.testing.memory_vault import MemoryVault
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer

HEALTH = Health(status="ok", version="0.1.0", protocol=1, oldest_client=1, engine="embedded")
ME = Me(issuer="i", subject="7", name="Ada", credential="token", groups=("urn:x:group:g#a",))


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> MemoryVault:
    vault = MemoryVault()
    for name in ("napari_hmz.cli.login", "napari_hmz.cli.terminal"):
        monkeypatch.setattr(sys.modules[name], "SignIns", lambda: SignIns(lambda: vault))
    return vault


@pytest.fixture
def backend(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ScriptedServer:
    """One that accepts what is not `wrong`, and no request without a token."""

    def me(request: Request) -> Answer:
        token = request.headers.get("authorization", "Bearer wrong").removeprefix("Bearer ")
        if token == "wrong":
            body = {"title": "x", "status": 401, "code": "not-signed-in"}
            return Answer(401, json.dumps(body).encode(), {"Content-Type": wire.PROBLEM_TYPE})
        return Answer(200, ME.model_dump_json().encode())

    server.on("GET", wire.ME, me)
    server.on("GET", wire.HEALTH, lambda _: Answer(200, HEALTH.model_dump_json().encode()))
    for name in ("HMZ_TOKEN", "HMZ_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HMZ_URL", server.url)
    return server


def test_a_pasted_token_is_kept_once_the_backend_accepts_it(
    backend: ScriptedServer, vault: MemoryVault
) -> None:
    shell = CliRunner()
    wrong = shell.invoke(app, ["login", "--token"], input="wrong\n")
    assert isinstance(wrong.exception, NotSignedIn)
    assert not vault.texts
    done = shell.invoke(app, ["login", "--token"], input="pasted\n")
    assert done.exit_code == 0
    assert "as Ada" in done.output
    assert "pasted" not in done.output
    assert "pasted" in vault.texts[backend.url]
    told = shell.invoke(app, ["whoami"])
    assert "Ada (7 of i)" in told.output
    assert "urn:x:group:g#a" in told.output
    assert isinstance(shell.invoke(app, ["login", "--token"], input="").exception, SignInFailed)


def test_what_cannot_be_signed_in_to_is_said(
    backend: ScriptedServer, vault: MemoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = CliRunner()
    assert shell.invoke(app, ["login", "--device", "--token"]).exit_code == 2
    clear = shell.invoke(app, ["login", "--url", "http://hmz.example.org"])
    assert isinstance(clear.exception, SignInFailed)
    assert "for everybody to read" in str(clear.exception)
    monkeypatch.delenv("HMZ_URL")
    assert isinstance(shell.invoke(app, ["login"]).exception, SettingsInvalid)


@pytest.fixture
def wanda(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    issuer.account("wanda")
    wanda = Person(issuer, "wanda")
    monkeypatch.setattr(terminal, "has_browser", lambda: True)
    monkeypatch.setattr(terminal, "open_in_browser", wanda.page)
    yield wanda
    wanda.join()


def test_a_person_at_a_terminal_is_asked_and_the_command_goes_on(
    *,
    backend: ScriptedServer,
    vault: MemoryVault,
    issuer: Issuer,
    wanda: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way = SignInIssuer(
        issuer=issuer.url, client_id=DESKTOP, resource=API, scopes=tuple(SCOPE.split())
    )
    ways = SignIn(issuers=(way,)).model_dump_json().encode()
    backend.on("GET", wire.SIGN_IN, lambda _: Answer(200, ways))
    with terminal.connect(None) as client, pytest.raises(NotSignedIn):
        client.me()  # nobody is there
    monkeypatch.setattr(sys, "stdin", Screen())
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    with terminal.connect(None) as client:
        assert client.me() == ME
    assert "wants you to sign in." in screen.getvalue()
    assert "as wanda" in screen.getvalue()
