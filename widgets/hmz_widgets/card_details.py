"""Everything that a card says of a model, for a person who is about to choose it.

Lives in the Qt main thread. Cards come from strangers: every text is shown as it is written, and
only https links can be opened.
"""

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from hmz_widgets.plain_text import linked, linked_words, plain_words
from napari_hmz.catalogue import Entry, words
from napari_hmz.catalogue.links import author_link, citation_link
from napari_hmz.schema import ModelCard

ROWS = ("Needs", "Quality", "Speed", "Access", "Licence", "Trained on", "Authors", "Cite")
_LINKED = frozenset({"Authors", "Cite"})
_DOCUMENTATION_PX = 220


class CardDetails:
    """The details of one model; emits `chosen` when a person takes it."""

    chosen = Signal()

    def __init__(self) -> None:
        self._cards: Sequence[ModelCard] = ()
        self.native = QWidget()
        self.name, self.summary, self.misfit = plain_words(), plain_words(), plain_words()
        self.rows: dict[str, QLabel] = {
            title: linked_words() if title in _LINKED else plain_words() for title in ROWS
        }
        self.version = QComboBox()
        self.version.setAccessibleName("Version")
        self.copy_button = QPushButton("Copy citation")
        self.copy_button.setToolTip("Copy what to cite, one work a line")
        self.use_button = QPushButton("Use this model")
        for button in (self.copy_button, self.use_button):
            button.setAutoDefault(True)  # the enter key presses it, too
        self._documentation = _Documentation()
        self._lay_out()
        self.version.currentIndexChanged.connect(self._version_chosen)
        self.copy_button.clicked.connect(self._copy)
        self.use_button.clicked.connect(self._choose)

    def card(self) -> ModelCard | None:
        """Return the card of the version that is shown."""
        index = self.version.currentIndex()
        return self._cards[index] if 0 <= index < len(self._cards) else None

    def show(self, entry: Entry | None, versions: Sequence[ModelCard] = ()) -> None:
        """Show a model, its newest version first; None: nothing."""
        self._cards = () if entry is None else (versions or (entry.card,))
        with signals_blocked(self.version):
            self.version.clear()
            self.version.addItems([f"Version {words.one_line(c.version)}" for c in self._cards])
        self.version.setVisible(len(self._cards) > 1)
        why = entry.misfit if entry is not None else ""
        self.misfit.setText(f"✕ {words.one_line(why)}" if why else "")
        self.misfit.setVisible(bool(why))
        self._version_chosen()

    def _version_chosen(self) -> None:
        card = self.card()
        self.native.setVisible(card is not None)
        if card is None:
            return
        self.name.setText(f"{words.one_line(card.name)}, version {words.one_line(card.version)}")
        self.summary.setText(words.one_line(card.summary))
        for title, text in _texts(card).items():
            label = self.rows[title]
            label.setText(text)
            self._form.setRowVisible(label, bool(text))
        self.copy_button.setVisible(bool(card.citations))
        self._documentation.show(card.documentation)

    def _copy(self) -> None:
        card = self.card()
        if card is not None:
            QGuiApplication.clipboard().setText(words.citation(card))

    def _choose(self) -> None:
        self.chosen.emit()

    def _lay_out(self) -> None:
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        _bold(self.name)
        for widget in (self.name, self.version, self.misfit, self.summary):
            inner.addWidget(widget)
        self._form = QFormLayout()
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, label in self.rows.items():
            label.setAccessibleName(title)
            self._form.addRow(_bold(QLabel(title)), label)
        inner.addLayout(self._form)
        inner.addWidget(self.copy_button, alignment=Qt.AlignmentFlag.AlignRight)
        inner.addWidget(self._documentation.native)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setAccessibleName("About the model")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        outer = QVBoxLayout(self.native)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        row = QHBoxLayout()
        row.addWidget(self.use_button)
        outer.addLayout(row)


class _Documentation:
    """The text that the authors wrote, as they wrote it; laid out only once somebody opens it."""

    def __init__(self) -> None:
        self._text = ""
        self._button = QToolButton()
        self._button.setCheckable(True)
        self._button.setAutoRaise(True)
        self._box = QPlainTextEdit()
        self._box.setReadOnly(True)
        self._box.setAccessibleName("Documentation")
        self._box.setFixedHeight(_DOCUMENTATION_PX)
        self.native = QWidget()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        layout.addWidget(self._box)
        self._button.toggled.connect(self._toggle)
        self._toggle(False)

    def show(self, text: str) -> None:
        """Show another text."""
        self._text = text
        self.native.setVisible(bool(text.strip()))
        self._toggle(self._button.isChecked())

    def _toggle(self, opened: bool) -> None:
        self._button.setText(f"{'▾' if opened else '▸'} Documentation")
        self._box.setVisible(opened)
        if opened:
            self._box.setPlainText(self._text)


def _bold(label: QLabel) -> QLabel:
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _texts(card: ModelCard) -> dict[str, str]:
    """Return what stands in each row: markup in those of `_LINKED`, plain text in the others."""
    return {
        "Needs": "\n".join(map(words.one_line, words.needs(card))),
        "Quality": "\n".join(map(words.one_line, words.quality_lines(card))) or "not measured",
        "Speed": words.speed(card),
        "Access": words.one_line(words.access(card)),
        "Licence": words.one_line(card.licence),
        "Trained on": words.one_line(card.training_data),
        "Authors": "<br>".join(_authors(card)),
        "Cite": "<br>".join(_citations(card)),
    }


def _authors(card: ModelCard) -> list[str]:
    return [
        linked(words.one_line(author.name), author_link(author))
        + linked(words.one_line(f", {author.affiliation}") if author.affiliation else "", "")
        for author in card.authors
    ]


def _citations(card: ModelCard) -> list[str]:
    return [linked(words.one_line(one.text), citation_link(one)) for one in card.citations]
