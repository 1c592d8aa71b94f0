"""Text of strangers in Qt: shown as it is written, never as markup.

Qt guesses whether a text is markup, in labels and tooltips alike; markup can load files and make
links.
"""

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_hmz.catalogue.links import safe_link


def plain_tooltip(text: str) -> str:
    """Return what a tooltip needs to show `text` as it is written, wrapped."""
    lines = "<br>".join(escape(line) for line in text.splitlines())
    return f"<qt>{lines}</qt>" if text else ""


def linked(text: str, address: str) -> str:
    """Return markup that shows `text`, as a link if the address is one that may be opened."""
    link = safe_link(address)
    return f'<a href="{escape(link)}">{escape(text)}</a>' if link else escape(text)


def plain_words(text: str = "") -> QLabel:
    """Return a label that shows text as it is written, and lets it be selected."""
    label = _wrapped(QLabel(text))
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label


def linked_words() -> QLabel:
    """Return a label for what `linked` makes; its links open in the browser, by keyboard, too."""
    label = _wrapped(QLabel())
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    label.setOpenExternalLinks(True)
    return label


def _wrapped(label: QLabel) -> QLabel:
    label.setWordWrap(True)
    # A word that is longer than the dock is wide must not make the dock wider.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setMinimumWidth(60)
    return label
