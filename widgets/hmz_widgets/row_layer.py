"""A table of a run in the viewer: a layer of points or boxes that grows, or a table at its end.

Lives in the Qt main thread.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from qtpy.QtCore import QTimer

from hmz_widgets.layers import Picture
from hmz_widgets.row_looks import boxes_arguments, points_arguments, rectangles, row_features
from hmz_widgets.row_view import RowView
from napari_hmz.objects import row_table
from napari_hmz.places import places
from napari_hmz.schema import Run
from napari_hmz.sheet import Sheet

FLOOR_MS = 300
SHARE = 4
"""Showing rows anew may take one part in so many of the main thread's time."""


class RowLayer:
    """What shows a sheet, anew while it fills and not too often.

    It survives that the person removes it: then there is nothing to show.

    Parameters
    ----------
    viewer
        Gets the layer, or the table.
    sheet
        What fills.
    image, run
        What the run works on, and the run.
    """

    def __init__(self, viewer: Any, sheet: Sheet, image: Picture, run: Run) -> None:  # noqa: ANN401 # napari is untyped here
        self._viewer, self._sheet = viewer, sheet
        self._name = f"{image.name} {sheet.table.name} ({run.plan.model})"
        self._table: RowView | None = None
        self._layer: Any = None if sheet.table.kind == "table" else self._add(image, run)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._show)
        self._last_ms = 0.0

    def mark(self) -> None:
        """Note that there are more rows; they are shown soon."""
        if self._layer is not None and not self._timer.isActive():
            self._timer.start(max(FLOOR_MS, round(SHARE * self._last_ms)))

    def finish(self) -> None:
        """Show all rows."""
        self._timer.stop()
        self._show()
        if self._layer is None:
            self._table = RowView(row_table(self._sheet.table, self._sheet.rows), self._name)
            self._viewer.window.add_dock_widget(self._table, name=self._name, area="bottom")

    def close(self) -> None:
        """Stop showing more; what is shown stays."""
        self._timer.stop()

    def remove(self) -> None:
        """Take out of the viewer what is still there."""
        self.close()
        if self._is_present():
            self._viewer.layers.remove(self._layer)
        if self._table is not None and self._table.parent() is not None:
            self._viewer.window.remove_dock_widget(self._table)
        self._table = None

    def _add(self, image: Picture, run: Run) -> Any:  # noqa: ANN401 # napari's layer
        table = self._sheet.table
        is_boxes = table.kind == "boxes"
        add: Callable[..., Any] = self._viewer.add_shapes if is_boxes else self._viewer.add_points
        arguments = boxes_arguments() if is_boxes else points_arguments()
        return add(
            ndim=len(table.axes),
            name=self._name,
            metadata={
                "hmz": run.provenance.model_dump(mode="json"),
                "hmz_output": {"name": table.name, "kind": table.kind},
            },
            **image.geometry.of_output(table.axes, {}).layer_arguments(),
            **arguments,
        )

    def _show(self) -> None:
        if not self._is_present():
            return
        began = perf_counter()
        table, rows = self._sheet.table, self._sheet.rows
        features = row_features(table, rows)
        if table.kind == "boxes":
            corners, origins = rectangles(table, rows)
            self._layer.data = list(corners)
            self._layer.features = {name: values[origins] for name, values in features.items()}
        else:
            self._layer.data = places(table, rows)
            self._layer.features = features
        self._last_ms = 1000 * (perf_counter() - began)

    def _is_present(self) -> bool:
        return any(self._layer is layer for layer in self._viewer.layers)
