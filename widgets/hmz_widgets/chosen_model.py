"""The model that is chosen: a button with its picture and name, which opens the catalogue.

Lives in the Qt main thread.
"""

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from hmz_widgets.icon import give_icon
from hmz_widgets.plain_text import plain_tooltip
from hmz_widgets.status import plain_label
from hmz_widgets.thumbnails import Thumbnails
from napari_hmz.catalogue import words
from napari_hmz.schema import ModelCard

PICTURE_PX = 40
_SPARE_PX = 28
"""Between picture, text and the button's edges."""


class ChosenModel:
    """The models of the backend, and which of them is chosen.

    Emits `changed` when another model is chosen, `opened` when the person wants to see all of
    them, and `refresh` when they ask for news.

    Parameters
    ----------
    thumbnails
        The pictures of models.
    """

    changed = Signal()
    opened = Signal()
    refresh = Signal()

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._cards: list[ModelCard] = []
        self._card: ModelCard | None = None
        self.face = _Face()
        self._words = plain_label()
        self.button = QToolButton()
        give_icon(self.button, "refresh")
        self.button.setAccessibleName("Refresh")
        self.button.setToolTip("Ask the backend again which models there are")
        self.native = QWidget()
        self._lay_out()
        self.face.clicked.connect(self._open)
        self.button.clicked.connect(self._ask)
        thumbnails.arrived.connect(self._show_picture)

    def card(self) -> ModelCard | None:
        """Return the card of the chosen model."""
        return self._card

    def cards(self) -> Sequence[ModelCard]:
        """Return the cards of all models that are offered."""
        return self._cards

    def show(self, cards: Sequence[ModelCard]) -> None:
        """Offer these models; the one that was chosen stays so if it is still there."""
        self._cards = sorted(cards, key=lambda card: (card.name.lower(), card.id))
        before = self._card
        kept = [card for card in self._cards if before is not None and card.id == before.id]
        same = [card for card in kept if before is not None and card.version == before.version]
        self._choose(next(iter([*same, *kept, *self._cards]), None))

    def choose(self, model_id: str, version: str | None = None) -> None:
        """Choose a model, its newest version unless told; nothing happens if it is not offered."""
        for card in self._cards:
            if card.id == model_id and version in (None, card.version):
                self._choose(card)
                return

    def _choose(self, card: ModelCard | None) -> None:
        before, self._card = self._card, card
        self.face.show_name(words.one_line(card.name) if card is not None else "Choose a model")
        self.face.setEnabled(bool(self._cards))
        self._words.setText(card_words(card) if card is not None else "")
        self._words.setVisible(card is not None)
        self._show_picture()
        if _same_model(card, before):
            return
        self.changed.emit()

    def _show_picture(self) -> None:
        picture = self._thumbnails.picture(self._card) if self._card is not None else None
        self.face.setIcon(QIcon() if picture is None else QIcon(picture))

    def _open(self) -> None:
        self.opened.emit()

    def _ask(self) -> None:
        self.refresh.emit()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.face, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._words)
        self._choose(None)


class _Face(QPushButton):  # type: ignore[misc] # Qt has no types that mypy can follow
    """A button whose name is cut where there is no room: it can be as narrow as the dock."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self.setAutoDefault(True)  # else only the space bar presses a button outside of dialogs
        self.setIconSize(QSize(PICTURE_PX, PICTURE_PX))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(120, PICTURE_PX + 10)
        self.setStyleSheet("text-align: left; padding: 4px;")

    def show_name(self, name: str) -> None:
        """Show another name."""
        self._name = name
        self.setAccessibleName(f"Model: {name}")
        self.setToolTip(plain_tooltip(f"{name}\nOpen the catalogue"))
        self._cut()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 # Qt's name
        """Cut the name anew."""
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        room = self.width() - PICTURE_PX - _SPARE_PX
        cut = self.fontMetrics().elidedText(f"{self._name}  ▾", Qt.TextElideMode.ElideMiddle, room)
        self.setText(cut.replace("&", "&&"))  # one alone would make a shortcut


def card_words(card: ModelCard) -> str:
    """Return what a person should know of a model before running it."""
    facts = [words.facts(card), f"version {card.version}", *filter(None, [card.licence])]
    facts += [words.badge(card)] if card.quality else []
    lines = (words.one_line(card.summary), words.one_line(" · ".join(facts)))
    return "\n".join(line for line in lines if line)


def _same_model(card: ModelCard | None, other: ModelCard | None) -> bool:
    """Return whether two cards are of one model, whatever is known of its speed by now."""
    if card is None or other is None:
        return card is other
    unsaid = {"voxels_per_s_here": None}
    return card.model_copy(update=unsaid) == other.model_copy(update=unsaid)
