"""Which part of the image a run works on: all of it, what is in view, a shape's box, some times.

Lives in the Qt main thread.
"""

from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QSpinBox, QWidget

from hmz_widgets.sight import view_of
from napari_hmz.schema import Axes, Region, Sizes
from napari_hmz.view import box_region

WHOLE, IN_VIEW, SHAPE = range(3)


class RegionChoice:
    """Offers the parts of an image.

    Parameters
    ----------
    viewer
        Says what is in view, and has the shapes.
    """

    def __init__(self, viewer: Any) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer = viewer
        self.part = QComboBox()
        self.part.addItems(["Whole image", "What is in view", "Box of the selected shape"])
        self.part.setAccessibleName("Region")
        self.part.setToolTip(
            "A shape's box: of the shapes selected in a Shapes layer, else of all its shapes; "
            "it reaches through all planes if they are drawn in one"
        )
        self.first, self.last = _time("First time point"), _time("Last time point")
        self.native = QWidget()
        self._form = QFormLayout(self.native)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Region", self.part)
        self._times = QWidget()
        row = QHBoxLayout(self._times)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.first, QLabel("to"), self.last):
            row.addWidget(widget)
        self._form.addRow("Time points", self._times)
        self.propose_for(None, None)

    def propose_for(self, layer: Any, axes: Axes | None) -> None:  # noqa: ANN401 # napari is untyped
        """Offer what an image with these axes has."""
        count = sizes(layer, axes).get("t", 1) if layer is not None and axes else 1
        for box in (self.first, self.last):
            box.setRange(0, count - 1)
        self.first.setValue(0)
        self.last.setValue(count - 1)
        self._form.setRowVisible(self._times, count > 1)

    def region(self, layer: Any, axes: Axes) -> Region | None:  # noqa: ANN401 # napari is untyped here
        """Return the chosen part; empty: all of the image; None: nothing of the image is there."""
        shape = sizes(layer, axes)
        chosen: Region = {}
        if self.part.currentIndex() == IN_VIEW:
            chosen = view_of(self._viewer, layer, axes).region(shape)
        elif self.part.currentIndex() == SHAPE:
            chosen = self._box(layer, axes, shape)
        if not chosen and self.part.currentIndex() != WHOLE:
            return None
        return _with_times(chosen, (self.first.value(), self.last.value() + 1), shape)

    def hindrance(self) -> str:
        """Return why the chosen part cannot be had, or nothing."""
        if self.part.currentIndex() == SHAPE and not _vertices(self._viewer):
            return "Draw a shape around the part first: Layers > New Shapes Layer."
        return ""

    def _box(self, layer: Any, axes: Axes, shape: Sizes) -> Region:  # noqa: ANN401 # napari is untyped
        corners = _vertices(self._viewer)
        if not corners:
            return {}
        own = axes[: layer.ndim]
        points = np.array([layer.world_to_data(corner)[-len(own) :] for corner in corners])
        low = dict(zip(own, points.min(axis=0).tolist(), strict=True))
        high = dict(zip(own, points.max(axis=0).tolist(), strict=True))
        return box_region(low, high, {axis: shape[axis] for axis in own if axis != "c"})


def sizes(layer: Any, axes: Axes) -> Sizes:  # noqa: ANN401 # napari is untyped here
    """Return the extents of the array behind a layer, by the names of its axes."""
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return dict(zip(axes, map(int, shape), strict=False))


def _with_times(region: Region, times: tuple[int, int], shape: Sizes) -> Region:
    first, end = times
    if "t" not in shape or end <= first:
        return region
    seen_first, seen_end = region.get("t", (0, shape["t"]))
    if (seen_first, seen_end) != (0, shape["t"]):  # one time point is in view
        return region
    return region if (first, end) == (0, shape["t"]) else region | {"t": (first, end)}


def _vertices(viewer: Any) -> list[Any]:  # noqa: ANN401 # napari is untyped here
    """Return the corners of the chosen shapes, in world coordinates of the viewer's dimensions."""
    from napari.layers import Shapes

    found = [layer for layer in viewer.layers if isinstance(layer, Shapes) and len(layer.data)]
    active = [layer for layer in found if layer in viewer.layers.selection]
    chosen = (active or found)[-1:]
    corners = []
    for layer in chosen:
        numbers = sorted(layer.selected_data) or range(len(layer.data))
        points = [point for number in numbers for point in layer.data[number]]
        missing = viewer.dims.ndim - layer.ndim
        corners += [np.r_[viewer.dims.point[:missing], layer.data_to_world(p)] for p in points]
    return corners


def _time(name: str) -> QSpinBox:
    box = QSpinBox()
    box.setAccessibleName(name)
    box.setToolTip("Counted from 0, as the slider does")
    return box
