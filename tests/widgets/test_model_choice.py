"""Choosing a model in the dock: the catalogue in its place, news, and a backend that is away."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QBuffer, QByteArray, QIODevice, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest

from hmz_widgets.dock import ModelZoo
from hmz_widgets.service import open_kept
from napari_hmz.errors import BackendUnreachable
from napari_hmz.schema import ModelCard
from napari_hmz.testing.fake_client import FakeClient

MakeCard = Callable[..., ModelCard]
OpenZoo = Callable[..., Any]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

pytestmark = pytest.mark.gui
IMAGE = np.zeros((40, 33), np.uint8)


def two(make_card: MakeCard) -> list[ModelCard]:
    flat = make_card(id="a", name="Flat", summary="Plane by plane")
    deep = make_card(id="b", name="Deep", axes=["z", "y", "x"], thumbnail="cover.png")
    return [flat, deep]


def picture() -> bytes:
    image = QImage(20, 20, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())


def shows_catalogue(page: Untyped) -> bool:
    return bool(page.native.currentWidget() is page.models.catalogue.native)


def away(profile: str | None = None, /, *, start: bool = True) -> FakeClient:
    raise BackendUnreachable("Nobody answers.")


@pytest.fixture
def open_away(make_napari_viewer_proxy: Untyped) -> Callable[[], ModelZoo]:
    """Open a dock while nobody answers."""

    def open_it() -> ModelZoo:
        viewer = make_napari_viewer_proxy()
        viewer.add_image(IMAGE)
        dock = ModelZoo(viewer, connect=away)
        viewer.window.add_dock_widget(dock)
        return dock

    return open_it


def test_the_chosen_model_opens_the_catalogue_and_choosing_returns(
    open_zoo: OpenZoo, make_card: MakeCard
) -> None:
    page = open_zoo(FakeClient(two(make_card))).page
    assert page.models.card().id == "b", "the first by name"
    assert "Deep" in page.models.chosen.face.text()
    page.models.chosen.face.click()
    assert shows_catalogue(page)
    assert page.models.catalogue.details.card().id == "b", "it begins at what is chosen"
    QTest.keyClicks(page.models.catalogue.search.line, "flat")
    QTest.keyClick(page.models.catalogue.search.line, Qt.Key.Key_Return)
    assert not shows_catalogue(page)
    assert page.models.card().id == "a"
    assert "Plane by plane" in page.models.chosen._words.text()
    assert page.form.values() == {"threshold": 50}


def test_the_whole_way_can_be_gone_by_keyboard(open_zoo: OpenZoo, make_card: MakeCard) -> None:
    page = open_zoo(FakeClient(two(make_card))).page
    QTest.keyClick(page.models.chosen.face, Qt.Key.Key_Return)
    assert shows_catalogue(page)
    QTest.keyClick(page.models.catalogue.search.line, Qt.Key.Key_Down)
    QTest.keyClick(page.models.catalogue.details.use_button, Qt.Key.Key_Return)
    assert page.models.card().id == "a"
    QTest.keyClick(page.models.chosen.face, Qt.Key.Key_Return)
    QTest.keyClick(page.models.catalogue.back_button, Qt.Key.Key_Return)
    assert not shows_catalogue(page)


def test_going_back_keeps_the_choice(open_zoo: OpenZoo, make_card: MakeCard) -> None:
    page = open_zoo(FakeClient(two(make_card))).page
    page.models.chosen.face.click()
    page.models.catalogue.entries.look_at("a")
    page.models.catalogue.back_button.click()
    assert not shows_catalogue(page)
    assert page.models.card().id == "b"


def test_the_catalogue_says_what_fits_the_chosen_layer(
    open_zoo: OpenZoo, make_card: MakeCard
) -> None:
    zoo = open_zoo(FakeClient(two(make_card)))
    zoo.viewer.add_image(IMAGE)
    zoo.page.models.chosen.face.click()
    entries = zoo.page.models.catalogue.entries._model.entries
    assert [(entry.card.id, bool(entry.misfit)) for entry in entries] == [("a", False), ("b", True)]
    zoo.viewer.layers.clear()
    zoo.viewer.add_image(np.zeros((4, 40, 33), np.uint8))
    entries = zoo.page.models.catalogue.entries._model.entries
    assert not any(entry.misfit for entry in entries), "it follows the layer while it is open"


def test_pictures_are_shown_and_kept(open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot) -> None:
    cards = two(make_card)
    page = open_zoo(FakeClient(cards, pictures={"b": picture()})).page
    qtbot.waitUntil(lambda: not page.models.chosen.face.icon().isNull())
    qtbot.waitUntil(lambda: open_kept(None).picture(cards[1]) is not None)


def test_a_model_that_appears_on_the_backend_appears_after_refresh(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    zoo = open_zoo(FakeClient(two(make_card)))
    page, client = zoo.page, zoo.client
    new = make_card(id="new", name="New", parameters={"size": {"type": "integer", "default": 3}})
    client.cards = [*client.cards, new]
    page.models.chosen.face.click()
    page.models.catalogue.refresh_button.click()
    entries = page.models.catalogue.entries
    qtbot.waitUntil(lambda: any(e.card.id == "new" for e in entries._model.entries))
    entries.look_at("new")
    page.models.catalogue.details.use_button.click()
    assert page.form.values() == {"size": 3}


def test_without_a_backend_its_models_are_shown_from_memory_and_nothing_can_be_run(
    open_away: Callable[[], ModelZoo], make_card: MakeCard, qtbot: QtBot
) -> None:
    cards = two(make_card)
    open_kept(None).put(cards, time.time() - 7300)
    open_kept(None).put_picture(cards[1], picture())
    page: Untyped = open_away().model_page
    qtbot.waitUntil(lambda: page.models.card() is not None)
    assert "Nobody answers." in page.status.message
    page.models.chosen.face.click()
    note = page.models.catalogue.note
    assert not note.isHidden()
    assert "2 hours ago" in note.text()
    page.models.choose("a")
    assert not page.desk.run_button.isEnabled()
    assert "cannot be reached" in page.hindrance()
    page.models.choose("b")
    qtbot.waitUntil(lambda: not page.models.chosen.face.icon().isNull())


def test_without_a_backend_that_was_ever_seen_there_is_nothing_to_show(
    open_away: Callable[[], ModelZoo], qtbot: QtBot
) -> None:
    dock = open_away()
    page: Untyped = dock.model_page
    qtbot.waitUntil(lambda: "Nobody answers." in page.status.message and not dock.bridge.busy)
    assert page.models.card() is None
    assert not page.models.chosen.face.isEnabled()


def test_a_backend_that_is_lost_and_comes_back(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = open_zoo(FakeClient(two(make_card)))
    zoo.viewer.add_image(IMAGE)
    page = zoo.page
    page.models.choose("a")
    assert page.desk.run_button.isEnabled()
    with monkeypatch.context() as patch:
        patch.setattr(zoo.client, "models", lambda **_: away())
        page.refresh()
        qtbot.waitUntil(lambda: not page.models.catalogue.note.isHidden())
    assert page.models.card().id == "a"
    assert not page.desk.run_button.isEnabled()
    qtbot.waitUntil(page.models.chosen.button.isEnabled)
    page.models.chosen.button.click()
    qtbot.waitUntil(page.desk.run_button.isEnabled)
    assert page.models.catalogue.note.isHidden()
    assert not page.status.message


def test_refresh_asks_for_what_is_there_now(
    open_zoo: OpenZoo, make_card: MakeCard, qtbot: QtBot
) -> None:
    asked: list[bool] = []

    class Watched(FakeClient):
        def models(self, *words: str | None, fresh: bool = False) -> tuple[ModelCard, ...]:
            asked.append(fresh)
            return super().models(*words)

    zoo = open_zoo(Watched(two(make_card)))
    button = zoo.page.models.chosen.button
    qtbot.waitUntil(button.isEnabled)
    button.click()
    qtbot.waitUntil(button.isEnabled)
    assert asked == [False, True]


def test_nothing_is_kept_outside_the_state_folder(
    open_zoo: OpenZoo, make_card: MakeCard, state: Path, qtbot: QtBot
) -> None:
    open_zoo(FakeClient(two(make_card)))
    qtbot.waitUntil(lambda: bool(list(state.rglob("cards.json"))))


def test_layers_of_one_kind_count_as_channels_of_a_model(
    open_zoo: OpenZoo, make_card: MakeCard
) -> None:
    spec = {"name": "image", "axes": ["c", "y", "x"], "channels": ["nuclei", "membrane"]}
    zoo = open_zoo(FakeClient([make_card(inputs=[spec])]))
    models = zoo.page.models
    zoo.viewer.add_image(np.zeros((9, 9), np.uint8), name="nuclei")
    models.browse()
    assert models.catalogue.count.text() == "1 model, 0 fit the layer"
    zoo.viewer.add_image(np.zeros((9, 9), np.uint8), name="membrane")
    models.browse()
    assert models.catalogue.count.text() == "1 model, 1 fit the layer"
