"""The catalogue: search a model, see whether it suits the layer, read its card, choose it.

Lives in the Qt main thread. A page of the dock, with a `native` widget.
"""

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QToolButton, QVBoxLayout, QWidget

from hmz_widgets.card_details import CardDetails
from hmz_widgets.catalogue_list import EntryList
from hmz_widgets.catalogue_search import CatalogueSearch
from hmz_widgets.icon import give_icon
from hmz_widgets.status import plain_label
from hmz_widgets.thumbnails import Thumbnails
from napari_hmz.catalogue import Catalogue, ImageDescription
from napari_hmz.schema import ModelCard


class CataloguePage:
    """Search line, list and details.

    Emits `chosen` with the card that a person takes, `left` when they go back without one, and
    `refresh` when they ask for news.

    Parameters
    ----------
    thumbnails
        The pictures of models.
    """

    chosen = Signal(object)
    left = Signal()
    refresh = Signal()

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._catalogue = Catalogue()
        self._image: ImageDescription | None = None
        self.native = QWidget()
        self.entries = EntryList(thumbnails)
        self.search = CatalogueSearch(self.entries.native)
        self.details = CardDetails()
        self.back_button = QPushButton("Back")
        give_icon(self.back_button, "back")
        self.back_button.setAutoDefault(True)  # the enter key presses it, too
        self.back_button.setToolTip("Keep the chosen model (Esc)")
        self.refresh_button = QToolButton()
        give_icon(self.refresh_button, "refresh")
        self.refresh_button.setAccessibleName("Refresh")
        self.refresh_button.setToolTip("Ask the backend again which models there are")
        self.count, self.note = plain_label(), plain_label()
        self._lay_out()
        self._wire_up()

    def show(self, cards: Sequence[ModelCard], note: str = "") -> None:
        """Offer these models, with what is to be said of them above the list."""
        self._catalogue = Catalogue(tuple(cards))
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.search.offer(self._catalogue.facets())
        self._find()

    def suit(self, image: ImageDescription | None) -> None:
        """Say of every model whether it suits this layer."""
        if image != self._image:
            self._image = image
            self.search.offer_fitting(offered=image is not None)
            self._find()

    def open_at(self, card: ModelCard | None) -> None:
        """Begin at a model, ready for typing."""
        if card is not None:
            self.entries.look_at(card.id)
        self.search.line.setFocus()
        self.search.line.selectAll()

    def _find(self) -> None:
        found = self._catalogue.find(self.search.query(), self._image)
        self.entries.show(found)
        fitting = sum(not entry.misfit for entry in found)
        suits = f", {fitting} fit the layer" if self._image is not None else ""
        models = "1 model" if len(found) == 1 else f"{len(found)} models"
        self.count.setText(f"{models}{suits}")
        self._look()

    def _look(self) -> None:
        entry = self.entries.entry()
        versions = self._catalogue.versions(entry.card.id) if entry is not None else ()
        self.details.show(entry, versions)

    def _choose(self) -> None:
        card = self.details.card()
        if card is not None:
            self.chosen.emit(card)

    def _leave(self) -> None:
        self.left.emit()

    def _ask(self) -> None:
        self.refresh.emit()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self.native)
        top = QHBoxLayout()
        top.addWidget(self.back_button)
        top.addWidget(self.count, 1)
        top.addWidget(self.refresh_button)
        layout.addLayout(top)
        layout.addWidget(self.note)
        self.note.hide()
        layout.addWidget(self.search.native)
        parts = QSplitter(Qt.Orientation.Vertical)
        parts.setChildrenCollapsible(False)
        parts.addWidget(self.entries.native)
        parts.addWidget(self.details.native)
        parts.setStretchFactor(0, 1)
        parts.setStretchFactor(1, 1)
        layout.addWidget(parts, 1)

    def _wire_up(self) -> None:
        self.search.changed.connect(self._find)
        self.search.entered.connect(self._choose)
        self.entries.looked_at.connect(self._look)
        self.entries.chosen.connect(self._choose)
        self.details.chosen.connect(self._choose)
        self.back_button.clicked.connect(self._leave)
        self.refresh_button.clicked.connect(self._ask)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self.native)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(self._leave)
        self.search.offer_fitting(offered=False)
