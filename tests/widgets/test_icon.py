"""Our icons: each can be drawn, none comes from elsewhere, and each has the colour of its theme."""

import re
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QColor, QIcon, QImage, QPalette
from qtpy.QtWidgets import QPushButton, QWidget

from hmz_widgets.icon import FOLDER, SIDES_PX, drawn, give_icon

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))

pytestmark = pytest.mark.gui


def inked(icon: QIcon, mode: QIcon.Mode = QIcon.Mode.Normal) -> set[tuple[int, int, int]]:
    """Return the colours of the pixels that are quite opaque."""
    image: QImage = icon.pixmap(SIDES_PX[-1], mode).toImage()
    pixels = [
        QColor(image.pixelColor(x, y)) for x in range(image.width()) for y in range(image.height())
    ]
    return {pixel.getRgb()[:3] for pixel in pixels if pixel.alpha() == 255}


@pytest.mark.parametrize("name", NAMES)
def test_an_icon_is_drawn_in_the_colour_of_the_text(name: str, qapp: object) -> None:
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.ButtonText, QColor(10, 200, 30))
    assert inked(drawn(name, palette)) == {(10, 200, 30)}


@pytest.mark.parametrize("name", NAMES)
def test_an_icon_is_a_drawing_of_its_own_without_a_colour(name: str) -> None:
    text = (FOLDER / f"{name}.svg").read_text("utf-8")
    root = ET.fromstring(text)  # noqa: S314 # our own file
    assert {part.tag.rpartition("}")[2] for part in root.iter()} <= {
        "svg",
        "path",
        "rect",
        "circle",
    }
    assert "href" not in text
    assert not re.search(r"#[0-9a-fA-F]{3}|rgb", text)


def test_a_button_follows_the_theme(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    button = QPushButton("Run", parent)
    give_icon(button, "run")
    parent.show()
    for wanted in ((250, 250, 250), (5, 5, 5)):
        parent.setStyleSheet(f"QPushButton {{ color: rgb{wanted}; }}")
        qtbot.waitUntil(partial(_is_inked, button, wanted))


def _is_inked(button: QPushButton, colour: tuple[int, int, int]) -> bool:
    return inked(button.icon()) == {colour}


def test_a_button_is_not_drawn_anew_without_need(qtbot: QtBot) -> None:
    button = QPushButton("Run")
    qtbot.addWidget(button)
    give_icon(button, "run")
    before = button.icon().cacheKey()
    button.show()
    qtbot.waitExposed(button)
    button.hide()
    assert button.icon().cacheKey() == before


def test_the_dock_has_an_icon_wherever_there_is_no_text(open_zoo: Untyped) -> None:
    dock = open_zoo().dock
    page = dock.model_page
    bare = [
        page.models.chosen.button,
        page.models.catalogue.refresh_button,
        page.desk.output.browse,
        dock.header.log_button,
    ]
    for button in bare:
        assert not button.text()
        assert not button.icon().isNull()
        assert button.accessibleName()
        assert button.toolTip()
