"""When layers that fill are drawn anew, and how much of them.

Lives in the Qt main thread. What drawing takes is measured up to the window: on a machine without
a graphics card that is most of it.
"""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from time import perf_counter
from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import Qt, QTimer

from hmz_widgets.patches import patch, patchable
from napari_hmz.schema import Axes, AxisName, Region, slices

GATHER_MS = 10
"""What comes within so long is drawn together, even if nothing was drawn for long."""
REFRESH_SHARE = 4
"""Redrawing a layer may take one part in so many of the main thread's time."""
FLOOR_2D_MS = 100
FLOOR_3D_MS = 500
"""At least so long nothing is drawn after a drawing."""
PATCHES_2D_PX = 2**19
PATCHES_3D_PX = 2**22
"""So many voxels are drawn anew at a time; what is left over comes next."""
_FLAT = 2


class Redrawing:
    """Gathers what has new values, and draws that which is on show.

    Emits `drawn` once the window shows what was marked, as far as that is on show at all, with
    whether anything but background has been drawn yet.

    Parameters
    ----------
    viewer
        Shows the layers.
    axes
        Of the layers' arrays.
    present
        Returns the layers, those that are still in the viewer.
    prepare
        Is called with a layer before all of it is drawn.
    """

    drawn = Signal(bool)

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        axes: Axes,
        present: Callable[[], Sequence[Any]],
        prepare: Callable[[Any], None],
    ) -> None:
        self._viewer, self._axes = viewer, axes
        self._present, self._prepare = present, prepare
        self._dirty: dict[tuple[object, ...], Region] = {}
        self.is_painted_in = False
        """Whether a person has painted in the layers."""
        self._is_patched = self._shows = False
        self._due, self._drawing = QTimer(), QTimer()
        for timer, then in ((self._due, self._redraw), (self._drawing, self._drawn)):
            timer.setSingleShot(True)
            timer.setTimerType(Qt.TimerType.PreciseTimer)  # others come up to 5 % too early
            timer.timeout.connect(then)
        self._began_s, self._ended_s, self._last_ms = 0.0, -math.inf, 0.0

    def mark(self, region: Region) -> None:
        """Note that a region has new values; what is on show of it is drawn once it is due."""
        self._dirty[tuple(region.items())] = region
        if not self._due.isActive() and not self._drawing.isActive():
            self._wait()

    def painted(self, whole: Region) -> None:
        """Note that a person paints, and draw all that is on show from then on.

        What napari draws of a stroke is older than what has been drawn in parts around it.
        """
        self.is_painted_in = True
        if self._is_patched:
            self.mark(whole)

    def pause_ms(self) -> int:
        """Return how long after the end of a drawing the next begins: longer if that one was long.

        It counts from the end: what a drawing changes of the layer may change late in it.
        """
        floor = FLOOR_2D_MS if self._is_flat() else FLOOR_3D_MS
        return max(floor, math.ceil((REFRESH_SHARE - 1) * self._last_ms))

    def stop(self) -> None:
        """Draw nothing more."""
        self._due.stop()
        self._drawing.stop()
        self._dirty.clear()
        self._is_patched = False

    def _redraw(self) -> None:
        layers = [layer for layer in self._present() if layer.visible]
        regions, hidden = list(self._dirty.values()), self._hidden() if layers else {}
        self._dirty.clear()
        regions = [region for region in regions if _cuts(region, hidden)]
        if not layers or not regions:
            self.drawn.emit(self._shows)
            return
        self._shows = self._shows or _is_something(layers[0], self._axes, regions, hidden)
        self._began_s = perf_counter()
        self._drawing.start(0)  # the window is drawn before that is due
        if self._can_patch(layers, regions, hidden):
            self._patch(layers[0], regions, hidden)
        else:
            self._is_patched = False
            for layer in layers:
                self._prepare(layer)
                layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _drawn(self) -> None:
        self._ended_s = perf_counter()
        self._last_ms = 1000 * (self._ended_s - self._began_s)
        if self._dirty:
            self._wait()
        self.drawn.emit(self._shows)

    def _wait(self) -> None:
        """Draw what is marked once the pause since the last drawing is over."""
        since_ms = 1000 * (perf_counter() - self._ended_s)
        rest_ms = max(0.0, self.pause_ms() - since_ms)
        self._due.start(max(GATHER_MS, math.ceil(rest_ms)))

    def _can_patch(
        self, layers: Sequence[Any], regions: Sequence[Region], hidden: dict[AxisName, int]
    ) -> bool:
        """Return whether the regions can be drawn by themselves, and are small enough for it."""
        order = list(self._viewer.dims.displayed)
        if self.is_painted_in or order != sorted(order) or not patchable(layers[0]):
            return False
        return all(_shown_px(region, hidden) <= self._most_px() for region in regions)

    def _patch(
        self,
        layer: Any,  # noqa: ANN401 # napari is untyped here
        regions: Sequence[Region],
        hidden: dict[AxisName, int],
    ) -> None:
        """Draw the regions that came first; the others come next."""
        sums = accumulate(_shown_px(region, hidden) for region in regions)
        count = sum(1 for _ in takewhile(lambda px: px <= self._most_px(), sums))
        self._is_patched = True
        for region in regions[count:]:
            self.mark(region)
        boxes = [slices(region, self._axes) for region in regions[:count]]
        patch(layer, boxes, {self._axes.index(axis): place for axis, place in hidden.items()})

    def _is_flat(self) -> bool:
        return bool(self._viewer.dims.ndisplay == _FLAT)

    def _most_px(self) -> int:
        return PATCHES_2D_PX if self._is_flat() else PATCHES_3D_PX

    def _hidden(self) -> dict[AxisName, int]:
        """Return the axes that the viewer does not display, with the index that it shows."""
        dims, layer, axes = self._viewer.dims, self._present()[0], self._axes
        point = layer.world_to_data(dims.point)
        shown = {axis - (dims.ndim - layer.ndim) for axis in dims.displayed}
        return {
            axis: round(float(point[place]))
            for place, axis in enumerate(axes)
            if place not in shown
        }


def _cuts(region: Region, hidden: dict[AxisName, int]) -> bool:
    """Return whether a region cuts what the viewer shows: the slices of the hidden axes."""
    return all(region[axis][0] <= place < region[axis][1] for axis, place in hidden.items())


def _is_something(
    layer: Any,  # noqa: ANN401 # napari is untyped here
    axes: Axes,
    regions: Sequence[Region],
    hidden: dict[AxisName, int],
) -> bool:
    """Return whether a layer's array has anything but 0 where regions cut what is on show."""
    parts = [dict(zip(axes, slices(region, axes), strict=True)) for region in regions]
    places = [tuple(hidden.get(axis, part[axis]) for axis in axes) for part in parts]
    return any(np.any(layer.data[place]) for place in places)


def _shown_px(region: Region, hidden: dict[AxisName, int]) -> int:
    """Return how many voxels of a region are on show."""
    return math.prod(end - first for axis, (first, end) in region.items() if axis not in hidden)
