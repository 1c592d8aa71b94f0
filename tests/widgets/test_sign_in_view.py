"""Signing in and out from the dock, at the real provider."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.dock import ModelZoo
from hmz_widgets.sign_in_view import AWAITED, BUSY
from napari_hmz.auth import SignIns
from napari_hmz.door import Door
from napari_hmz.errors import NotSignedIn
from napari_hmz.schema import Me, ModelCard, SignIn, SignInIssuer, wire
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.issuer import DESKTOP, SCOPE, Issuer
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import Answer, ScriptedServer

MakeCard = Callable[..., ModelCard]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui


class People(FakeClient):
    """A backend that shows its models only to those who have come by the door."""

    def __init__(self, cards: list[ModelCard], url: str, door: Door) -> None:
        super().__init__(cards)
        self.url, self.door = url, door

    def _check(self) -> None:
        if self.door.sign_ins.access(self.url) is None:
            raise NotSignedIn("No credential that this backend accepts came with the request.")

    def me(self) -> Me:
        self._check()
        return Me(issuer="i", subject="7", name="<b>Wanda</b>", credential="issuer")

    def models(
        self, task: str | None = None, query: str | None = None, *, fresh: bool = False
    ) -> tuple[ModelCard, ...]:
        self._check()
        return super().models(task, query, fresh=fresh)


class Reader:
    """A person who reads the page and does not answer yet."""

    def page(self, url: str, /) -> None:
        self.url = url

    def code(self, url: str, code: str, /) -> None:
        raise AssertionError


@pytest.fixture
def backend(issuer: Issuer) -> Iterator[ScriptedServer]:
    issuer.account("wanda")
    way = SignInIssuer(issuer=issuer.url, client_id=DESKTOP, scopes=tuple(SCOPE.split()))
    ways = SignIn(issuers=(way,)).model_dump_json().encode()
    with ScriptedServer() as server:
        server.on("GET", wire.SIGN_IN, lambda _: Answer(200, ways))
        yield server


@pytest.fixture
def wanda(issuer: Issuer) -> Iterator[Person]:
    wanda = Person(issuer, "wanda")
    yield wanda
    wanda.join()


@pytest.fixture
def dock(
    *,
    backend: ScriptedServer,
    wanda: Person,
    make_card: MakeCard,
    make_napari_viewer_proxy: Untyped,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ModelZoo:
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))
    monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "client.toml").write_text(f'url = "{backend.url}"')
    door = Door(SignIns(lambda: None), wanda)

    def connect(profile: str | None, /, *, start: bool) -> People:
        return People([make_card()], backend.url, door)

    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=connect, door=door)
    viewer.window.add_dock_widget(dock)
    return dock


def test_models_come_with_the_sign_in_and_go_with_it(dock: ModelZoo, qtbot: QtBot) -> None:
    view = dock.header.sign_in
    qtbot.waitUntil(lambda: not view.button.isHidden())
    assert view.button.text() == "Sign in"
    qtbot.waitUntil(lambda: "Sign in" in dock.model_page.status.message)
    view.button.click()
    assert view.message.text() == BUSY
    qtbot.waitUntil(lambda: view.button.text() == "Sign out", timeout=20_000)
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    assert view.who.text() == "<b>Wanda</b>", "as it is written"
    assert view.message.isHidden()
    view.button.click()
    qtbot.waitUntil(lambda: view.button.text() == "Sign in", timeout=20_000)
    assert view.who.isHidden()


def test_an_attempt_is_cancelled_by_the_same_button(dock: ModelZoo, qtbot: QtBot) -> None:
    dock.door.show = Reader()
    view = dock.header.sign_in
    qtbot.waitUntil(lambda: not view.button.isHidden())
    view.button.click()
    qtbot.waitUntil(lambda: view.button.text() == "Cancel")
    view.button.click()
    qtbot.waitUntil(lambda: view.button.text() == "Sign in")
    assert view.message.isHidden()


def test_why_nobody_could_sign_in_stands_in_the_dock(
    dock: ModelZoo, backend: ScriptedServer, qtbot: QtBot
) -> None:
    backend.on("GET", wire.SIGN_IN, lambda _: Answer(200, b"{}"))
    view = dock.header.sign_in
    qtbot.waitUntil(lambda: not view.button.isHidden())
    view.button.click()
    qtbot.waitUntil(lambda: "does not say where people sign in" in view.message.text())
    assert not view.message.isHidden()


def test_work_that_waits_is_told_and_goes_on(dock: ModelZoo, qtbot: QtBot) -> None:
    import threading

    view, went_on = dock.header.sign_in, threading.Event()
    qtbot.waitUntil(lambda: not view.button.isHidden())
    url = dock.backend.client.url if dock.backend.client else ""

    def transfer() -> None:
        if dock.door.ask(url, again=True):
            went_on.set()

    threading.Thread(target=transfer, daemon=True).start()
    qtbot.waitUntil(lambda: view.message.text() == AWAITED)
    view.button.click()
    qtbot.waitUntil(went_on.is_set, timeout=20_000)
    qtbot.waitUntil(lambda: view.button.text() == "Sign out", timeout=20_000)


def test_this_machine_wants_no_sign_in(
    make_napari_viewer_proxy: Untyped, make_card: MakeCard, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer_proxy()
    dock = ModelZoo(viewer, connect=lambda *_, **__: FakeClient([make_card()]))
    viewer.window.add_dock_widget(dock)
    qtbot.waitUntil(lambda: dock.model_page.models.card() is not None)
    assert dock.header.sign_in.button.isHidden()
    assert dock.header.sign_in.who.isHidden()
