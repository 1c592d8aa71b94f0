"""The catalogue as a person uses it: typing, arrow keys, enter and escape; and hostile cards."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QBuffer, QByteArray, QIODevice, Qt
from qtpy.QtGui import QColor, QGuiApplication, QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QWidget

from hmz_widgets.bridge import Bridge
from hmz_widgets.catalogue_list import lines_of
from hmz_widgets.catalogue_page import CataloguePage
from hmz_widgets.thumbnails import SIDE_PX, Thumbnails, decoded
from napari_hmz.catalogue import Entry, ImageDescription
from napari_hmz.errors import BackendUnreachable, NotFound
from napari_hmz.schema import ModelCard

MakeCard = Callable[..., ModelCard]
MARKUP = '<img src="file:///etc/passwd"><a href="javascript:x">y</a><script>z</script>&amp;'
PLANE = ImageDescription(shape=(64, 64), labels=("y", "x"), dtype="uint8")

pytestmark = pytest.mark.gui


@pytest.fixture
def bridge(qapp: object) -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


@pytest.fixture
def page(bridge: Bridge, make_card: MakeCard, qtbot: QtBot) -> CataloguePage:
    page = CataloguePage(Thumbnails(bridge))
    qtbot.addWidget(page.native)
    page.show(
        [
            make_card(id="nuclei", name="Nuclei", tags=["confocal"]),
            make_card(id="brains", name="Brains", axes=["z", "y", "x"], task="restoration"),
            make_card(id="cells", name="Cells", version="2"),
            make_card(id="cells", name="Cells", version="1"),
        ]
    )
    page.native.resize(320, 700)
    page.native.show()
    qtbot.waitExposed(page.native)
    page.open_at(None)
    return page


def listed(page: CataloguePage) -> list[str]:
    return [entry.card.name for entry in page.entries._model.entries]


def shown(page: CataloguePage) -> str:
    return str(page.details.name.text())


def test_typing_narrows_the_list_and_enter_chooses(page: CataloguePage) -> None:
    assert listed(page) == ["Brains", "Cells", "Nuclei"]
    QTest.keyClicks(page.search.line, "confocal")
    assert listed(page) == ["Nuclei"]
    assert page.count.text() == "1 model"
    chosen: list[ModelCard] = []
    page.chosen.connect(chosen.append)
    QTest.keyClick(page.search.line, Qt.Key.Key_Return)
    assert [card.id for card in chosen] == ["nuclei"]


def test_arrow_keys_move_through_the_list_while_one_types(page: CataloguePage) -> None:
    assert "Brains" in shown(page)
    QTest.keyClick(page.search.line, Qt.Key.Key_Down)
    assert "Cells" in shown(page)
    QTest.keyClick(page.search.line, Qt.Key.Key_Up)
    assert "Brains" in shown(page)


def test_enter_in_the_list_chooses_too(page: CataloguePage) -> None:
    chosen: list[ModelCard] = []
    page.chosen.connect(chosen.append)
    page.entries.native.setFocus()
    QTest.keyClick(page.entries.native, Qt.Key.Key_Down)
    QTest.keyClick(page.entries.native, Qt.Key.Key_Return)
    assert [card.id for card in chosen] == ["cells"]


def test_escape_goes_back_without_choosing(page: CataloguePage, qtbot: QtBot) -> None:
    left: list[bool] = []
    page.left.connect(lambda: left.append(True))
    page.native.activateWindow()
    qtbot.waitUntil(page.native.isActiveWindow)
    QTest.keyClick(page.search.line, Qt.Key.Key_Escape)
    assert left == [True]


def test_nothing_found_shows_nothing_and_chooses_nothing(page: CataloguePage) -> None:
    chosen: list[ModelCard] = []
    page.chosen.connect(chosen.append)
    QTest.keyClicks(page.search.line, "no such model")
    assert listed(page) == []
    assert page.details.native.isHidden()
    QTest.keyClick(page.search.line, Qt.Key.Key_Return)
    assert not chosen
    page.search.line.clear()
    assert not page.details.native.isHidden()


def test_boxes_offer_what_there_is(page: CataloguePage) -> None:
    page.search.task.native.setCurrentIndex(2)
    assert listed(page) == ["Brains"]
    page.search.task.native.setCurrentIndex(0)
    page.search.dimensions.native.setCurrentIndex(1)
    assert listed(page) == ["Cells", "Nuclei"]
    assert page.search.modality.native.isHidden(), "there is only one"


def test_what_does_not_fit_the_layer_says_why(page: CataloguePage) -> None:
    assert not page.search.fitting.isEnabled()
    page.suit(PLANE)
    assert listed(page) == ["Cells", "Nuclei", "Brains"]
    assert page.count.text() == "3 models, 2 fit the layer"
    page.entries.look_at("brains")
    assert "needs the axis z" in page.details.misfit.text()
    page.search.fitting.click()
    assert listed(page) == ["Cells", "Nuclei"]
    page.suit(None)
    assert listed(page) == ["Brains", "Cells", "Nuclei"], "without a layer everything may fit"


def test_news_keep_the_place(page: CataloguePage, make_card: MakeCard) -> None:
    page.entries.look_at("nuclei")
    page.show([make_card(id="a", name="A"), make_card(id="nuclei", name="Nuclei")])
    assert "Nuclei" in shown(page)


def test_an_older_version_can_be_chosen(page: CataloguePage) -> None:
    page.entries.look_at("cells")
    assert shown(page) == "Cells, version 2"
    page.details.version.setCurrentIndex(1)
    chosen: list[ModelCard] = []
    page.chosen.connect(chosen.append)
    page.details.use_button.click()
    assert [card.version for card in chosen] == ["1"]


def test_the_details_say_what_it_needs_how_good_and_how_fast_it_is(
    page: CataloguePage, make_card: MakeCard
) -> None:
    figure = {"metric": "AP@0.5", "value": 0.9, "dataset": "cells"}
    page.show([make_card(voxels_per_s_here=2e6, quality=[figure], licence="MIT")])
    rows = {title: label.text() for title, label in page.details.rows.items()}
    assert "axes y, x" in rows["Needs"]
    assert rows["Quality"] == "AP@0.5 0.9 on cells"
    assert rows["Speed"] == "2.0 M voxels/s, as measured on this backend"
    assert (rows["Access"], rows["Licence"]) == ("open to all", "MIT")
    assert page.details.rows["Authors"].isHidden(), "there are none"


def test_the_citation_can_be_copied(page: CataloguePage, make_card: MakeCard) -> None:
    page.show([make_card(citations=[{"text": "Paper", "doi": "10.1234/x"}])])
    page.details.copy_button.click()
    assert QGuiApplication.clipboard().text() == "Paper. https://doi.org/10.1234/x"
    page.show([make_card()])
    assert page.details.copy_button.isHidden()


def test_every_part_has_a_name_for_those_who_cannot_see_it(page: CataloguePage) -> None:
    for widget in (page.search.line, page.entries.native, page.search.task.native):
        assert widget.accessibleName()
    index = page.entries.native.model().index(0, 0)
    read = str(index.data(Qt.ItemDataRole.AccessibleTextRole))
    assert "Brains" in read
    assert "3-D" in read


def hostile(make_card: MakeCard) -> ModelCard:
    return make_card(
        name=MARKUP,
        summary=MARKUP,
        documentation=MARKUP,
        licence=MARKUP,
        training_data=MARKUP,
        tags=[MARKUP],
        authors=[{"name": MARKUP, "affiliation": MARKUP, "orcid": '"><img src=x>'}],
        citations=[
            {"text": MARKUP, "url": "javascript:alert(1)"},
            {"text": MARKUP, "url": 'https://a.b/"><img src="file:///etc/passwd">'},
            {"text": "fine", "url": "https://a.b/c"},
        ],
        quality=[{"metric": MARKUP, "value": 1, "dataset": MARKUP, "protocol": MARKUP}],
        access={"public": False, "groups": [MARKUP]},
        version=MARKUP,
    )


def labels(widget: QWidget) -> list[Any]:
    return list(widget.findChildren(QLabel))


def test_hostile_cards_are_shown_as_they_are_written(
    page: CataloguePage, make_card: MakeCard
) -> None:
    page.show([hostile(make_card)])
    page.details._documentation._button.click()
    assert page.details._documentation._box.toPlainText() == MARKUP
    marked = [label for label in labels(page.native) if "passwd" in label.text()]
    assert len(marked) >= 6
    for label in marked:
        if label.textFormat() == Qt.TextFormat.PlainText:
            continue
        assert label.textFormat() == Qt.TextFormat.RichText
        assert "<img" not in label.text()
        assert "<script" not in label.text()
    tooltip = str(page.entries.native.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole))
    assert "<img" not in tooltip


def test_only_https_links_can_be_opened(page: CataloguePage, make_card: MakeCard) -> None:
    page.show([hostile(make_card)])
    rich = [one for one in labels(page.native) if one.textFormat() != Qt.TextFormat.PlainText]
    text = "".join(label.text() for label in rich)
    assert text.count("<a href=") == 1
    assert '<a href="https://a.b/c">fine</a>' in text


def test_a_row_is_one_line_each_whatever_the_card_says(make_card: MakeCard) -> None:
    card = make_card(name="a\nb", summary="c\u2028d\u202e", tags=["x"])
    assert all(len(line.splitlines()) == 1 for line in lines_of(Entry(card)))


def test_two_hundred_models_are_filtered_while_one_types(
    page: CataloguePage, make_card: MakeCard, qtbot: QtBot
) -> None:
    page.show(
        [
            make_card(id=str(n), name=f"Model {n}", documentation="word " * 2000, tags=["dapi"])
            for n in range(200)
        ]
    )
    page.suit(PLANE)
    stalls_ms = []
    for letter in "model 19":
        began = time.perf_counter()
        QTest.keyClicks(page.search.line, letter)
        qtbot.wait(0)  # the list is painted
        stalls_ms.append(1000 * (time.perf_counter() - began))
    assert listed(page)[0] == "Model 19"
    assert sorted(stalls_ms)[len(stalls_ms) // 2] < 100, "a quiet machine takes a tenth of this"


def png(colour: str, width: int = 30, height: int = 20) -> bytes:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())


def test_pictures_come_by_and_by_and_one_that_is_missing_keeps_none_away(
    bridge: Bridge, make_card: MakeCard, qtbot: QtBot
) -> None:
    def fetch(card: ModelCard) -> bytes:
        if card.id == "lost":
            raise NotFound("There is none.")
        return png("red")

    thumbnails = Thumbnails(bridge)
    thumbnails.fetch_with(fetch)
    cards = [make_card(id=name, thumbnail="cover.png") for name in ("a", "lost", "b")]
    assert [thumbnails.picture(card) for card in cards] == [None, None, None]
    qtbot.waitUntil(lambda: thumbnails.picture(cards[2]) is not None)
    first = thumbnails.picture(cards[0])
    assert first is not None
    assert first.width() == SIDE_PX
    assert thumbnails.picture(cards[1]) is None
    qtbot.waitUntil(lambda: not bridge.busy)
    thumbnails.close()


def test_pictures_are_tried_again_once_there_is_a_backend(
    bridge: Bridge, make_card: MakeCard, qtbot: QtBot
) -> None:
    def away(card: ModelCard) -> bytes:
        raise BackendUnreachable("Nobody answers.")

    card = make_card(thumbnail="cover.png")
    thumbnails = Thumbnails(bridge)
    thumbnails.fetch_with(away)
    assert thumbnails.picture(card) is None
    qtbot.waitUntil(lambda: bool(thumbnails._known))
    thumbnails.fetch_with(lambda card: png("blue"))
    qtbot.waitUntil(lambda: thumbnails.picture(card) is not None)
    thumbnails.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", b'<svg xmlns="http://www.w3.org/2000/svg"/>', png("red")[:40]],
)
def test_what_is_no_picture_is_not_shown(qapp: object, content: bytes) -> None:
    assert decoded(content) is None


def test_a_picture_of_absurd_size_is_not_decoded(qapp: object) -> None:
    assert decoded(png("red", 9000, 1)) is None
    image = decoded(png("red"))
    assert image is not None
    assert (image.width(), image.height()) == (SIDE_PX, SIDE_PX)
