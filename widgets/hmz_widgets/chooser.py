"""What to run on what: the model, the image layer, and the axes of its array.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from collections.abc import Sequence
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QSearchableComboBox
from superqt.utils import signals_blocked

from hmz_widgets.layers import finest, fits_rgb
from hmz_widgets.status import plain_label
from napari_hmz.form import proposed_axes
from napari_hmz.schema import SPATIAL_AXES, Axes, ModelCard

LAYER_EVENTS = ("inserted", "removed", "reordered", "renamed")


class ModelChooser:
    """The models of the backend, with the words of the chosen one.

    Emits `changed` when another model is chosen, and `refresh` when the person asks for news.
    """

    changed = Signal()
    refresh = Signal()

    def __init__(self) -> None:
        self._cards: list[ModelCard] = []
        self._combo = _narrow(QSearchableComboBox())
        self._combo.setAccessibleName("Model")
        self._combo.lineEdit().editingFinished.connect(self._typed)
        self._words = plain_label()
        self.button = QToolButton()
        self.button.setText("⟳")
        self.button.setToolTip("Ask the backend again which models there are")
        self.native = QWidget()
        self._lay_out()
        self._combo.currentIndexChanged.connect(self._chosen)
        self.button.clicked.connect(self._asked)

    def card(self) -> ModelCard | None:
        """Return the card of the chosen model."""
        index = self._combo.currentIndex()
        return self._cards[index] if 0 <= index < len(self._cards) else None

    def show(self, cards: Sequence[ModelCard]) -> None:
        """Offer these models; the one that was chosen stays so if it is still there."""
        before = self.card()
        self._cards = sorted(cards, key=lambda card: (card.name.lower(), card.id))
        names = [card.name for card in self._cards]
        with signals_blocked(self._combo):
            self._combo.clear()
            self._combo.addItems(
                f"{card.name} {card.version}" if names.count(card.name) > 1 else card.name
                for card in self._cards
            )
            kept = [i for i, card in enumerate(self._cards) if before and card.id == before.id]
            self._combo.setCurrentIndex(kept[0] if kept else min(0, len(self._cards) - 1))
        if self.card() != before:
            self._chosen()

    def choose(self, model_id: str) -> None:
        """Choose a model by its id; nothing happens if it is not offered."""
        found = [i for i, card in enumerate(self._cards) if card.id == model_id]
        if found:
            self._combo.setCurrentIndex(found[0])

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._combo, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._words)

    def _typed(self) -> None:
        """Show the chosen model's name again if what was typed names none."""
        index = self._combo.currentIndex()
        if self._combo.findText(self._combo.currentText()) < 0:
            self._combo.setEditText(self._combo.itemText(index))

    def _chosen(self) -> None:
        card = self.card()
        self._combo.lineEdit().setCursorPosition(0)  # the beginning of a long name is what tells
        self._words.setText(card_words(card) if card else "")
        self.changed.emit()

    def _asked(self) -> None:
        self.refresh.emit()


class ImageChooser:
    """The image layers of a viewer, and the axes of the chosen one's array.

    Emits `changed` when another layer or other axes are chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer = viewer
        self._layers: list[Any] = []
        self._offers: tuple[Axes, ...] = ()
        self._card: ModelCard | None = None
        self._combo = _narrow(QComboBox())
        self._combo.setAccessibleName("Image")
        self._axes = _narrow(QComboBox())
        self._axes.setAccessibleName("Axes")
        self._axes.setToolTip("What the dimensions of the image are, outermost first")
        self.native = QWidget()
        self._form = QFormLayout(self.native)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Image", self._combo)
        self._form.addRow("Axes", self._axes)
        self._follow()
        self._list_layers()
        self._combo.currentIndexChanged.connect(self._layer_chosen)
        self._axes.currentIndexChanged.connect(self._axes_chosen)

    def layer(self) -> Any:  # noqa: ANN401 # napari is untyped here
        """Return the chosen layer, or None."""
        index = self._combo.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def axes(self) -> Axes | None:
        """Return the axes of the chosen layer's array, or None if it has too many."""
        index = self._axes.currentIndex()
        return self._offers[index] if 0 <= index < len(self._offers) else None

    def propose_for(self, card: ModelCard | None) -> None:
        """Propose the axes that suit a model."""
        self._card = card
        self._list_axes()

    def choose(self, layer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        """Choose a layer; nothing happens if it is not offered."""
        for index, known in enumerate(self._layers):
            if known == layer:
                self._combo.setCurrentIndex(index)

    def close(self) -> None:
        """Follow the viewer no longer."""
        for name in LAYER_EVENTS:
            getattr(self._viewer.layers.events, name).disconnect(self._layers_changed)

    def _follow(self) -> None:
        for name in LAYER_EVENTS:
            getattr(self._viewer.layers.events, name).connect(self._layers_changed)

    def _layers_changed(self, _event: object = None) -> None:
        self._list_layers()

    def _list_layers(self) -> None:
        before = self.layer()
        self._layers = [layer for layer in self._viewer.layers if _is_image(layer)]
        with signals_blocked(self._combo):
            self._combo.clear()
            self._combo.addItems([str(layer.name) for layer in self._layers])
            kept = [i for i, layer in enumerate(self._layers) if layer == before]
            self._combo.setCurrentIndex(kept[0] if kept else len(self._layers) - 1)
        if self.layer() != before:
            self._layer_chosen()

    def _layer_chosen(self) -> None:
        self._list_axes()
        self.changed.emit()

    def _list_axes(self) -> None:
        before = self.axes()
        self._offers = self._proposed()
        with signals_blocked(self._axes):
            self._axes.clear()
            self._axes.addItems([", ".join(axes) for axes in self._offers])
            if before in self._offers:
                self._axes.setCurrentIndex(self._offers.index(before))
        for widget in (self._axes, self._form.labelForField(self._axes)):
            widget.setVisible(len(self._offers) > 1)

    def _proposed(self) -> tuple[Axes, ...]:
        layer = self.layer()
        if layer is None or self._card is None:
            return ()
        shape = finest(layer).shape
        labels = [*layer.axis_labels, *(["channel"] if layer.rgb else [])]
        offers = proposed_axes(shape, labels, self._card.inputs[0])
        return tuple(axes for axes in offers if (axes[-1] == "c") == layer.rgb)

    def _axes_chosen(self) -> None:
        self.changed.emit()


def obstacle(card: ModelCard | None, layer: Any, axes: Axes | None) -> str:  # noqa: ANN401 # untyped
    """Return why a model cannot run on a layer as far as that can be seen at once, or nothing."""
    if card is None:
        return "Choose a model."
    if layer is None:
        return "Open an image: File > Open Sample has one."
    if axes is None:
        return f"The layer has {layer.ndim} dimensions; 2 to 5 can be used."
    lacking = [axis for axis in card.inputs[0].axes if axis in SPATIAL_AXES and axis not in axes]
    if lacking:
        return f"This model needs the axes {', '.join(lacking)}, which the image does not have."
    if not fits_rgb(layer, card):
        return "This model does not take colour images: split the layer first (Split RGB)."
    return ""


def card_words(card: ModelCard) -> str:
    """Return what a person should know of a model before running it."""
    facts = [card.task.replace("-", " "), f"{card.dimensions}-D", f"version {card.version}"]
    facts += [card.licence] if card.licence else []
    facts += [f"{m.metric} {m.value:.2f} on {m.dataset}" for m in card.quality[:1]]
    return "\n".join(line for line in (card.summary, " · ".join(facts)) if line)


def _is_image(layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    from napari.layers import Image

    return isinstance(layer, Image)


def _narrow(combo: QComboBox) -> QComboBox:
    """Let a combo box be narrower than its longest entry."""
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.setMinimumWidth(120)
    return combo
