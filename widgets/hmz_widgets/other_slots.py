"""What fills a model's inputs beside the first: a layer for each, on the same voxels.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from hmz_widgets.layers import Picture
from hmz_widgets.other_slot import OtherSlot
from hmz_widgets.status import plain_label
from napari_hmz.schema import ModelCard


class OtherSlots:
    """A slot for each further input.

    Emits `changed` when something else is chosen.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer = viewer
        self._slots: dict[str, OtherSlot] = {}
        self.native = QWidget()
        self._form = QFormLayout(self.native)
        self._form.setContentsMargins(0, 0, 0, 0)
        self.native.hide()

    def propose_for(self, card: ModelCard | None, first: Any) -> None:  # noqa: ANN401 # a layer
        """Offer layers for a model whose first input is filled by a layer already."""
        self.close()
        while self._form.rowCount():
            self._form.removeRow(0)
        for spec in card.inputs[1:] if card is not None else ():
            slot = self._slots[spec.name] = OtherSlot(self._viewer, spec)
            self._form.addRow(plain_label(spec.name), slot.native)
            slot.prefer_another(first)
            slot.changed.connect(self._chosen)
        self.native.setVisible(bool(self._slots))

    def lie_on(self, image: Picture | None) -> None:
        """Propose what lies on the voxels of the first input's image."""
        for slot in self._slots.values():
            slot.lie_on(image)

    def slot(self, name: str) -> OtherSlot:
        """Return what fills an input."""
        return self._slots[name]

    def pictures(self) -> dict[str, Picture]:
        """Picture what is chosen, beside the image of the first input."""
        found = {name: slot.picture() for name, slot in self._slots.items()}
        return {name: one for name, one in found.items() if one is not None}

    def obstacle(self) -> str:
        """Return why the model cannot run on what is chosen beside its first image, or nothing."""
        told = {name: slot.obstacle() for name, slot in self._slots.items()}
        return next((f"{name}: {why}" for name, why in told.items() if why), "")

    def close(self) -> None:
        """Follow the viewer no longer."""
        for slot in self._slots.values():
            slot.close()
        self._slots.clear()

    def _chosen(self) -> None:
        self.changed.emit()
