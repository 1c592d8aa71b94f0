"""A box that offers those layers of a viewer that fit, and follows the viewer."""

from collections.abc import Callable
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy
from superqt.utils import signals_blocked

_EVENTS = ("inserted", "removed", "renamed", "reordered")


class LayerChoice:
    """Offers layers; emits `changed` when another one is chosen, `listed` when layers have changed.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    fits
        Whether a layer is offered.
    none
        What stands for "no layer"; empty: a layer is chosen as soon as there is one.
    """

    changed = Signal()
    listed = Signal()

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        fits: Callable[[Any], bool],
        *,
        title: str,
        none: str = "",
    ) -> None:
        self._viewer, self._fits, self._none = viewer, fits, none
        self._layers: list[Any] = []
        self.native = QComboBox()
        self.native.setAccessibleName(title)
        self.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.native.setMinimumWidth(100)
        for name in _EVENTS:
            getattr(viewer.layers.events, name).connect(self.list_layers)
        self.list_layers()
        self.native.currentIndexChanged.connect(self._chosen)

    def layer(self) -> Any:  # noqa: ANN401 # napari is untyped here
        """Return the chosen layer, or None."""
        index = self.native.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        """Choose a layer; nothing happens if it is not offered."""
        for index, known in enumerate(self._layers):
            if known is not None and known == layer:
                self.native.setCurrentIndex(index)

    def list_layers(self, _event: object = None) -> None:
        """Offer the layers that fit now; the chosen one stays so if it is still there."""
        before = self.layer()
        fitting = [layer for layer in self._viewer.layers if self._fits(layer)]
        self._layers = [None, *fitting] if self._none else fitting
        with signals_blocked(self.native):
            self.native.clear()
            self.native.addItems([self._none if one is None else one.name for one in self._layers])
            kept = [at for at, one in enumerate(self._layers) if one is not None and one == before]
            last = 0 if self._none else len(self._layers) - 1
            self.native.setCurrentIndex(kept[0] if kept else last)
        if self.layer() != before:
            self.changed.emit()
        self.listed.emit()

    def close(self) -> None:
        """Follow the viewer no longer."""
        for name in _EVENTS:
            getattr(self._viewer.layers.events, name).disconnect(self.list_layers)

    def _chosen(self) -> None:
        self.changed.emit()
