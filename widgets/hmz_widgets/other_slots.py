"""What fills a model's inputs beside the first: a layer for each, on the same voxels.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QWidget

from hmz_widgets.description import described, kind_of
from hmz_widgets.layer_choice import LayerChoice
from hmz_widgets.layers import Picture, picture, shapes
from hmz_widgets.plain_text import plain_tooltip
from hmz_widgets.status import plain_label
from napari_hmz.catalogue import likely_axes, misfit
from napari_hmz.schema import Axes, AxisName, InputSpec, ModelCard

NONE = "none"


@dataclass(frozen=True, eq=False)
class _Filling:
    """What is chosen for an input: a layer, its axes, and the level of its pyramid."""

    layer: Any
    axes: Axes
    level: int


class OtherSlots:
    """A box for each further input.

    Emits `changed` when something else is chosen.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer = viewer
        self._boxes: dict[str, tuple[InputSpec, LayerChoice]] = {}
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
            box = LayerChoice(
                self._viewer,
                partial(_takes, spec),
                title=spec.name,
                none=NONE if spec.optional else "",
            )
            box.native.setToolTip(plain_tooltip(f"The {spec.kind} that feed {spec.name}"))
            self._boxes[spec.name] = (spec, box)
            self._form.addRow(plain_label(spec.name), box.native)
            _prefer_another(box, spec, self._viewer.layers, first)
            box.changed.connect(self._chosen)
        self.native.setVisible(bool(self._boxes))

    def box(self, name: str) -> LayerChoice:
        """Return what offers the layers of an input."""
        return self._boxes[name][1]

    def pictures(self, image: Picture) -> dict[str, Picture]:
        """Picture the layers that are chosen, beside the image of the first input."""
        found = {}
        for name, (spec, box) in self._boxes.items():
            filling = _filling(spec, box.layer(), image)
            if filling is not None:
                found[name] = picture(filling.layer, filling.axes, level=filling.level)
        return found

    def obstacle(self, image: Picture | None) -> str:
        """Return why the model cannot run on what is chosen beside its first image, or nothing."""
        for spec, box in self._boxes.values():
            why = "" if image is None else _obstacle(spec, box.layer(), image)
            if why:
                return f"{spec.name}: {why}"
        return ""

    def close(self) -> None:
        """Follow the viewer no longer."""
        for _, box in self._boxes.values():
            box.close()
        self._boxes.clear()

    def _chosen(self) -> None:
        self.changed.emit()


def _takes(spec: InputSpec, layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
    return kind_of(layer) == spec.kind


def _prefer_another(box: LayerChoice, spec: InputSpec, layers: Any, first: Any) -> None:  # noqa: ANN401 # napari's
    """Choose another layer than the one that fills the first input, if there is one."""
    if not spec.optional and box.layer() is not None and box.layer() == first:
        for layer in layers:
            if layer != first:
                box.choose(layer)


def _obstacle(spec: InputSpec, layer: Any, image: Picture) -> str:  # noqa: ANN401 # napari's layer
    if layer is None:
        return "" if spec.optional else f"no layer holds {_thing(spec)}."
    filling = _filling(spec, layer, image)
    if filling is None:
        told = " x ".join(map(str, shapes(layer)[0]))
        wanted = " x ".join(map(str, _extents(image.data.shape, image.axes).values()))
        return f"{layer.name} has {told} voxels; the image has {wanted}, and both must be the same."
    chosen = replace(described(layer), shape=shapes(layer)[filling.level])
    return misfit(spec, chosen, filling.axes)


def _filling(spec: InputSpec, layer: Any, image: Picture) -> _Filling | None:  # noqa: ANN401 # napari's layer
    """Return how a layer fills an input; None if it does not lie on the voxels of the image."""
    if layer is None:
        return None
    wanted = _extents(image.data.shape, image.axes)
    for level, shape in enumerate(shapes(layer)):
        plain: Axes = tuple(wanted)
        one = replace(described(layer), shape=shape)
        axes = plain if len(plain) == len(shape) else likely_axes(spec, one)
        if axes is not None and _extents(shape, axes) == wanted:
            return _Filling(layer, axes, level)
    return None


def _extents(shape: tuple[int, ...], axes: Axes) -> dict[AxisName, int]:
    """Return the extents along all axes but that of the channels, which are each input's own."""
    pairs = zip(axes, shape, strict=True)
    return {axis: int(extent) for axis, extent in pairs if axis != "c"}


def _thing(spec: InputSpec) -> str:
    return "another image" if spec.kind == "image" else f"any {spec.kind}"
