"""What ties the table of objects to its layer: features, the selected label, where one looks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from napari_hmz.objects import ObjectTable


class ObjectLink:
    """A measured layer in its viewer; made and used in the Qt main thread.

    Parameters
    ----------
    viewer
        In which the layer lies.
    layer
        The labels layer.
    picked
        Called with a label that was selected in the layer.
    edited
        Called when the labels have changed.
    """

    def __init__(
        self,
        viewer: Any,  # noqa: ANN401 # napari is untyped here
        layer: Any,  # noqa: ANN401 # napari is untyped here
        picked: Callable[[int], None],
        edited: Callable[[], None],
    ) -> None:
        self.layer = layer
        self._viewer = viewer
        self._picked, self._edited = picked, edited
        self._table: ObjectTable | None = None
        layer.events.selected_label.connect(self._label_selected)
        layer.events.paint.connect(self._changed)
        layer.events.data.connect(self._changed)

    def show(self, table: ObjectTable) -> None:
        """Give the layer the figures of its objects: napari shows them under the cursor."""
        self._table = table
        self.layer.features = joined(self.layer.features, table)

    def go_to(self, place: int) -> None:
        """Select an object by its place in the table, and look at it."""
        table = self._table
        if table is None:
            return
        self.layer.selected_label = int(table.labels[place])
        world = [column.values[place] for column in table.columns if is_centroid(column.name)]
        self._look_at([float(value) for value in world])

    def close(self) -> None:
        """Let go of the layer."""
        self.layer.events.selected_label.disconnect(self._label_selected)
        self.layer.events.paint.disconnect(self._changed)
        self.layer.events.data.disconnect(self._changed)

    def _look_at(self, world: list[float]) -> None:
        """Move sliders and camera to a place that is given along the layer's axes."""
        dims, camera = self._viewer.dims, camera_of(self._viewer)
        first = dims.ndim - self.layer.ndim
        whole = [*dims.point[:first], *world]
        for axis in dims.not_displayed:
            if axis >= first:
                dims.set_point(axis, whole[axis])
        shown = [whole[axis] for axis in dims.displayed]
        camera.center = [*camera.center[: len(camera.center) - len(shown)], *shown]

    def _label_selected(self, _event: object = None) -> None:
        self._picked(int(self.layer.selected_label))

    def _changed(self, _event: object = None) -> None:
        self._edited()


def camera_of(viewer: Any) -> Any:  # noqa: ANN401 # napari is untyped here
    """Return the camera of a viewer, which napari has moved in 0.9."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def is_centroid(name: str) -> bool:
    """Return whether a column says where an object lies."""
    return name.startswith("centroid_")


def joined(old: Any, table: ObjectTable) -> Any:  # noqa: ANN401 # a frame of pandas
    """Return the features of a layer with those of a table: what others have put there stays."""
    fresh = pd.DataFrame(dict(table.features()))
    kept = [name for name in old.columns if name not in fresh.columns]
    if not kept:
        return fresh
    # napari takes the row for the label where no column names it
    former = old.set_index("index") if "index" in old.columns else old
    labels = np.union1d(fresh["index"], former.index[former.index > 0])
    both = former[kept].reindex(labels).join(fresh.set_index("index"))
    return both.rename_axis("index").reset_index()
