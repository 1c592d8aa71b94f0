"""What to run on: the layer that fills a model's first input, and how it is read.

Lives in the Qt main thread. It follows the viewer's layers until it is closed.
"""

from dataclasses import replace
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from hmz_widgets.axes_choice import AxesChoice
from hmz_widgets.channel_choice import ChannelChoice
from hmz_widgets.combo import ValueCombo
from hmz_widgets.description import as_picked, described, kind_of
from hmz_widgets.layer_choice import LayerChoice
from hmz_widgets.layers import Picture, picture, shapes
from hmz_widgets.voxel_size import VoxelSizeView
from napari_hmz.catalogue import ImageDescription, likely_axes, misfit, size_misfit
from napari_hmz.form import Feeder, levels_of, model_um, nearest_level, wanted_channels
from napari_hmz.physical import sizes_um
from napari_hmz.schema import Axes, AxisName, InputSpec, ModelCard, Region


class ImageSlot:
    """A layer for the model's input, and how it is to be read.

    Emits `changed` when something else is chosen, and `suggested` with the name and value of a
    parameter that the voxel size tells.
    """

    changed = Signal()
    suggested = Signal(str, object)

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer = viewer
        self._card: ModelCard | None = None
        self._images = LayerChoice(viewer, self._takes, title="Image")
        self._axes = AxesChoice()
        self._level: ValueCombo[int] = ValueCombo(
            "Level", "Which level of the pyramid is worked on; the result has its voxels"
        )
        self._channels = ChannelChoice()
        self._voxels = VoxelSizeView()
        self.native = QWidget()
        self._lay_out()
        self._images.changed.connect(self._layer_chosen)
        self._images.listed.connect(self._offer_channels)
        self._axes.changed.connect(self._axes_chosen)
        self._level.changed.connect(self._axes_chosen)
        self._channels.changed.connect(self._channels_chosen)
        self._voxels.changed.connect(self._size_corrected)
        self._voxels.suggested.connect(self.suggested)
        self._propose()

    def layer(self) -> Any:  # noqa: ANN401 # napari is untyped here
        """Return the chosen layer, or None."""
        return self._images.layer()

    def axes(self) -> Axes | None:
        """Return the axes of the chosen layer's array, or None if it has too many."""
        return self._axes.value()

    def propose_for(self, card: ModelCard | None) -> None:
        """Propose what suits a model."""
        self._card = card
        self._images.list_layers()  # a layer of another kind may be wanted now
        self._propose()

    def choose(self, layer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        """Choose a layer; nothing happens if it is not offered."""
        self._images.choose(layer)

    def picture(self) -> Picture | None:
        """Picture what is chosen; None if there is too little."""
        layer, axes = self.layer(), self.axes()
        if layer is None or axes is None or self._spec is None:
            return None
        whole = self._picture(layer, axes)
        stack = self._channels.feed().stack
        if not stack:
            return whole
        layers = self._candidates()
        parts = (
            replace(self._picture(*layers[pick.image]), channel=pick.channel) for pick in stack
        )
        return replace(whole, stack=tuple(parts), channel_names=wanted_channels(self._spec))

    def at_level(self, region: Region) -> Region:
        """Return a region of the finest level as one of the level that is worked on."""
        layer, axes = self.layer(), self.axes()
        if layer is None or axes is None:
            return region
        return levels_of(shapes(layer))[self._number(layer)].region(region, axes)

    def channels(self) -> tuple[int, ...]:
        """Return which channels of the image to take; empty: as they come."""
        return self._channels.feed().channels

    def obstacle(self) -> str:
        """Return why the model cannot run on what is chosen, or nothing."""
        if self._card is None:
            return "Choose a model."
        image, axes = self._image(), self.axes()
        if image is None:
            return _lacking(self._card.inputs[0])
        if axes is not None and not self._channels.obstacle():
            image, axes = as_picked(image, axes, len(wanted_channels(self._card.inputs[0])))
        return misfit(self._card.inputs[0], image, axes) or self._channels.obstacle()

    def size_misfit(self) -> str:
        """Return how the voxel size is too far from the model's, or nothing."""
        image = self._image()
        if self._card is None or image is None:
            return ""
        return size_misfit(self._card.inputs[0], image, self.axes())

    def close(self) -> None:
        """Follow the viewer no longer."""
        self._images.close()

    @property
    def _spec(self) -> InputSpec | None:
        return None if self._card is None else self._card.inputs[0]

    def _takes(self, layer: Any) -> bool:  # noqa: ANN401 # napari is untyped here
        return kind_of(layer) == ("image" if self._spec is None else self._spec.kind)

    def _image(self) -> ImageDescription | None:
        """Describe what is chosen: its level, and the voxel size as it was corrected."""
        layer, axes = self.layer(), self.axes()
        if layer is None:
            return None
        image, number = described(layer), self._number(layer)
        factors = levels_of(shapes(layer))[number].factors
        sizes = [size * factor for size, factor in zip(image.voxel_size, factors, strict=False)]
        units, given = list(image.units), self._voxels.given()
        for place, axis in enumerate(axes or ()):
            if axis in given and place < len(sizes):
                sizes[place], units[place] = given[axis], "micrometer"
        return replace(
            image,
            shape=shapes(layer)[number],
            voxel_size=tuple(sizes),
            units=tuple(units),
        )

    def _sizes_um(self) -> dict[AxisName, float]:
        image, axes = self._image(), self.axes()
        if image is None or axes is None:
            return {}
        sizes = dict(zip(axes, image.voxel_size, strict=False))  # colours have no size
        return sizes_um(sizes, dict(zip(axes, image.units, strict=False)), axes)

    def _number(self, layer: Any) -> int:  # noqa: ANN401 # napari is untyped here
        """Return the level of a layer that is as coarse as the chosen one."""
        return min(self._level.value() or 0, len(shapes(layer)) - 1)

    def _picture(self, layer: Any, axes: Axes) -> Picture:  # noqa: ANN401 # napari is untyped here
        return picture(layer, axes, level=self._number(layer), calibration=self._voxels.given())

    def _candidates(self) -> list[tuple[Any, Axes]]:
        """Return the chosen layer and all others of its kind, each with its axes."""
        chosen, axes, spec = self.layer(), self.axes(), self._spec
        if chosen is None or axes is None or spec is None:
            return []
        found = [(chosen, axes)]
        for layer in self._viewer.layers:
            if layer == chosen or not self._takes(layer):
                continue
            image = described(layer)
            plain: Axes = tuple(axis for axis in axes if axis != "c")
            own = plain if len(plain) == len(image.shape) else likely_axes(spec, image)
            if own is not None:
                found.append((layer, own))
        return found

    def _layer_chosen(self) -> None:
        self._voxels.forget()
        self._propose()
        self.changed.emit()

    def _axes_chosen(self) -> None:
        self._offer_channels()
        self._tell_size()
        self.changed.emit()

    def _channels_chosen(self) -> None:
        self.changed.emit()

    def _size_corrected(self) -> None:
        self._tell_size()
        self.changed.emit()

    def _propose(self) -> None:
        layer = self.layer()
        self._axes.offer(None if layer is None else described(layer), self._spec)
        _show_row(self._form, self._axes.native, shown=self._axes.open)
        self._offer_levels()
        self._offer_channels()
        self._tell_size()

    def _offer_levels(self) -> None:
        layer, axes, card = self.layer(), self.axes(), self._card
        if layer is None or axes is None or card is None:
            self._level.offer([], [])
        else:
            self._level.offer([0], [""])
            levels, sizes = levels_of(shapes(layer)), self._sizes_um()
            words = [f"{at}: {level.words(sizes, axes)}" for at, level in enumerate(levels)]
            near = nearest_level(levels, axes, sizes, model_um(card))
            self._level.offer(range(len(levels)), words, near)
        _show_row(self._form, self._level.native, shown=len(self._level) > 1)

    def _offer_channels(self) -> None:
        feeders = [
            Feeder(
                str(layer.name), shapes(layer)[self._number(layer)], axes, described(layer).dtype
            )
            for layer, axes in self._candidates()
        ]
        self._channels.offer(self._spec, feeders)

    def _tell_size(self) -> None:
        card = self._card if self.axes() is not None else None
        self._voxels.tell(card, self._sizes_um(), self.size_misfit())

    def _lay_out(self) -> None:
        rows = QWidget()
        self._form = QFormLayout(rows)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Image", self._images.native)
        self._form.addRow("Axes", self._axes.native)
        self._form.addRow("Level", self._level.native)
        layout = QVBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (rows, self._channels.native, self._voxels.native):
            layout.addWidget(part)


def _lacking(spec: InputSpec) -> str:
    """Return what to open for an input that no layer can fill."""
    if spec.kind == "image":
        return "Open an image: File > Open Sample has one."
    return f"This model takes {spec.kind}, and no layer holds any."


def _show_row(form: QFormLayout, field: QWidget, *, shown: bool) -> None:
    for widget in (field, form.labelForField(field)):
        widget.setVisible(shown)
