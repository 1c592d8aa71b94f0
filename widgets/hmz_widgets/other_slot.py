"""What fills one further input of a model: a layer on the voxels of the first, and how it is read.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from dataclasses import dataclass, replace
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from hmz_widgets.axes_choice import AxesChoice
from hmz_widgets.channel_choice import ChannelChoice
from hmz_widgets.description import as_picked, described, kind_of
from hmz_widgets.layer_choice import LayerChoice
from hmz_widgets.layers import Picture, picture, shapes
from hmz_widgets.plain_text import plain_tooltip
from napari_hmz.catalogue import likely_axes, misfit
from napari_hmz.form import Feeder, wanted_channels
from napari_hmz.schema import Axes, AxisName, InputSpec

NONE = "none"


@dataclass(frozen=True, eq=False)
class _Filling:
    """A layer, its axes, and the level of its pyramid."""

    layer: Any
    axes: Axes
    level: int

    @property
    def shape(self) -> tuple[int, ...]:
        return shapes(self.layer)[self.level]


class OtherSlot:
    """A layer for an input; axes and channels are proposed, and can be corrected.

    Its voxels are those of the first input, and so is their size. Emits `changed` when something
    else is chosen.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    spec
        The input.
    """

    changed = Signal()

    def __init__(self, viewer: Any, spec: InputSpec) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer, self._spec = viewer, spec
        self._image: Picture | None = None
        self.box = LayerChoice(
            viewer, self._takes, title=spec.name, none=NONE if spec.optional else ""
        )
        self.box.native.setToolTip(plain_tooltip(f"The {spec.kind} that feed {spec.name}"))
        self.axes, self.channels = AxesChoice(), ChannelChoice()
        self.native = QWidget()
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.box, self.axes, self.channels):
            layout.addWidget(part.native)
        self.box.changed.connect(self._layer_chosen)
        self.box.listed.connect(self._offer_channels)
        self.axes.changed.connect(self._axes_chosen)
        self.channels.changed.connect(self._channels_chosen)
        self._offer()

    def lie_on(self, image: Picture | None) -> None:
        """Propose what lies on the voxels of the first input's image."""
        self._image = image
        self._offer()

    def prefer_another(self, first: Any) -> None:  # noqa: ANN401 # napari is untyped here
        """Choose another layer than the one that fills the first input, if there is one."""
        if not self._spec.optional and self.box.layer() is not None and self.box.layer() == first:
            for layer in self._viewer.layers:
                if layer != first:
                    self.box.choose(layer)

    def picture(self) -> Picture | None:
        """Picture what is chosen; None if there is nothing, or if it lies on other voxels."""
        filling, spec = self._filling(), self._spec
        if filling is None:
            return None
        picks = self.channels.picks()
        if not picks:
            return self._pictured(filling)
        there = self._candidates()
        parts = [replace(self._pictured(there[one.image]), channel=one.channel) for one in picks]
        names = wanted_channels(spec)
        if not names:
            return parts[0]
        return replace(self._pictured(filling), stack=tuple(parts), channel_names=names)

    def obstacle(self) -> str:
        """Return why the model cannot run on what is chosen, or nothing."""
        spec, image, layer = self._spec, self._image, self.box.layer()
        if image is None:
            return ""
        if layer is None:
            return "" if spec.optional else f"no layer holds {_thing(spec)}."
        filling = self._filling()
        if filling is None:
            told = " x ".join(map(str, shapes(layer)[0]))
            wanted = " x ".join(map(str, _extents(image.data.shape, image.axes).values()))
            return (
                f"{layer.name} has {told} voxels; the image has {wanted}, and both must be the"
                " same."
            )
        whole = replace(described(layer), shape=filling.shape)
        picked, axes = as_picked(whole, filling.axes, len(self.channels.picks()))
        return misfit(spec, picked, axes) or self.channels.obstacle()

    def close(self) -> None:
        """Follow the viewer no longer."""
        self.box.close()

    def _takes(self, layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
        return kind_of(layer) == self._spec.kind

    def _pictured(self, filling: _Filling) -> Picture:
        given = {} if self._image is None else self._image.calibration
        return picture(filling.layer, filling.axes, level=filling.level, calibration=given)

    def _filling(self) -> _Filling | None:
        axes, layer = self.axes.value(), self.box.layer()
        return None if layer is None or axes is None else self._on_voxels(layer, axes)

    def _on_voxels(self, layer: Any, axes: Axes) -> _Filling | None:  # noqa: ANN401 # napari's layer
        """Return the level of a layer that lies on the voxels of the image, if one does."""
        if self._image is None:
            return None
        wanted = _extents(self._image.data.shape, self._image.axes)
        for level, shape in enumerate(shapes(layer)):
            if len(axes) == len(shape) and _extents(shape, axes) == wanted:
                return _Filling(layer, axes, level)
        return None

    def _likely(self, layer: Any) -> Axes | None:  # noqa: ANN401 # napari's layer
        """Return the axes that a layer has if it lies as the image does, else those likely."""
        own = described(layer)
        if self._image is not None:
            plain: Axes = tuple(axis for axis in self._image.axes if axis != "c")
            if len(plain) == len(own.shape):
                return plain
        return likely_axes(self._spec, own)

    def _candidates(self) -> list[_Filling]:
        """Return what is chosen, and all else of its kind on the same voxels."""
        chosen = self._filling()
        if chosen is None:
            return []
        others = [layer for layer in self._viewer.layers if layer != chosen.layer]
        found = [chosen]
        for layer in filter(self._takes, others):
            axes = self._likely(layer)
            one = None if axes is None else self._on_voxels(layer, axes)
            found += [] if one is None else [one]
        return found

    def _layer_chosen(self) -> None:
        self._offer()
        self.changed.emit()

    def _axes_chosen(self) -> None:
        self._offer_channels()
        self.changed.emit()

    def _channels_chosen(self) -> None:
        self.changed.emit()

    def _offer(self) -> None:
        layer = self.box.layer()
        image = None if layer is None else described(layer)
        likely = None if layer is None else self._likely(layer)
        self.axes.offer(image, self._spec, likely)
        self.axes.native.setVisible(self.axes.open)
        self._offer_channels()

    def _offer_channels(self) -> None:
        feeders = [
            Feeder(str(one.layer.name), one.shape, one.axes, described(one.layer).dtype)
            for one in self._candidates()
        ]
        self.channels.offer(self._spec, feeders)


def _extents(shape: tuple[int, ...], axes: Axes) -> dict[AxisName, int]:
    """Return the extents along all axes but that of the channels, which are each input's own."""
    pairs = zip(axes, shape, strict=True)
    return {axis: int(extent) for axis, extent in pairs if axis != "c"}


def _thing(spec: InputSpec) -> str:
    return "another image" if spec.kind == "image" else f"any {spec.kind}"
