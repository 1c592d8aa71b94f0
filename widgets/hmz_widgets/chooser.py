"""What to run on: the image layer, and the axes of its array.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QWidget
from superqt.utils import signals_blocked

from hmz_widgets.description import described
from hmz_widgets.layers import finest
from napari_hmz.catalogue import misfit
from napari_hmz.form import proposed_axes
from napari_hmz.schema import Axes, ModelCard

LAYER_EVENTS = ("inserted", "removed", "reordered", "renamed")


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
    return misfit(card.inputs[0], described(layer), axes)


def _is_image(layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    from napari.layers import Image

    return isinstance(layer, Image)


def _narrow(combo: QComboBox) -> QComboBox:
    """Let a combo box be narrower than its longest entry."""
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.setMinimumWidth(120)
    return combo
