"""Points, boxes and tables in the viewer: they grow, end in order, and open again from a store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Points, Shapes
from pytestqt.qtbot import QtBot

from hmz_widgets import row_looks
from hmz_widgets.bridge import Bridge
from hmz_widgets.layers import picture
from hmz_widgets.reader import read_results
from hmz_widgets.row_looks import rectangles
from hmz_widgets.row_view import RowView
from hmz_widgets.run_picture import planned_picture
from hmz_widgets.run_view import RunView
from hmz_widgets.status import StatusView
from napari_hmz.live import Begun, Ended, Listed
from napari_hmz.objects import row_table
from napari_hmz.results import OutputWriter
from napari_hmz.schema import OutputResult, OutputTable, Run
from napari_hmz.sheet import Sheet
from napari_hmz.standing import Gauge
from napari_hmz.testing.fake_client import FakeRun
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.transfer import Traffic

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
PLACE = {
    "voxel_size": {"z": 2.0, "y": 0.5, "x": 0.5},
    "units": dict.fromkeys("zyx", "micrometer"),
    "translation": {"z": 10.0, "y": 0.0, "x": 0.0},
}
POINTS = OutputTable.model_validate(
    {
        "name": "spots",
        "kind": "points",
        "axes": ["z", "y", "x"],
        "columns": [*"zyx", "score"],
        **PLACE,
    }
)
ENDS = ("z_start", "z_stop", "y_start", "y_stop", "x_start", "x_stop")
BOXES = POINTS.model_copy(update={"name": "cells", "kind": "boxes", "columns": ENDS})
TABLE = POINTS.model_copy(update={"name": "means", "kind": "table"})
ROWS = np.array([[3.0, 7, 9, 0.5], [1, 2, 4, 0.7]])
BOX_ROWS = np.array([[2.0, 5, 4, 8, 10, 20]])


def run_of(*tables: OutputTable) -> Run:
    run = fake_run(region={"z": (0, 8), "y": (0, 32), "x": (0, 32)})
    results = tuple(OutputResult(name=table.name, objects=2) for table in tables)
    plan = run.plan.model_copy(update={"tables": tables})
    return run.model_copy(update={"plan": plan, "results": results})


class Shown:
    """A run of tables in a viewer."""

    def __init__(self, *tables: OutputTable) -> None:
        self.viewer, self.bridge, self.status = ViewerModel(), Bridge(), StatusView()
        units = ["micrometer"] * 3
        volume = np.zeros((8, 32, 32), np.uint8)
        layer = self.viewer.add_image(volume, name="i", scale=[2, 0.5, 0.5], units=units)
        self.run = run_of(*tables)
        self.sheets = {table.name: Sheet(table) for table in tables}
        image = picture(layer, ("z", "y", "x"))
        self.view = RunView(self.viewer, image, self.bridge, self.status)
        handle = FakeRun.__new__(FakeRun)
        handle.is_held = False  # nothing else is asked of it
        self.view.take(Begun(handle, self.run, {}, Gauge(Traffic()).standing(), self.sheets))

    def end(self) -> None:
        self.view.take(Ended(self.run))
        self.view.close()
        self.bridge.close()


def test_points_grow_and_end_in_raster_order(qtbot: QtBot) -> None:
    shown = Shown(POINTS)
    layer = shown.viewer.layers[-1]
    assert isinstance(layer, Points)
    assert layer.name == "i spots (m)"
    shown.sheets["spots"].add("rows/1", ROWS[:1])
    shown.view.take(Listed("spots"))
    qtbot.waitUntil(lambda: len(layer.data) == 1, timeout=10_000)
    shown.sheets["spots"].add("rows/0", ROWS[1:])
    shown.end()
    np.testing.assert_array_equal(layer.data, [[1, 2, 4], [3, 7, 9]])
    np.testing.assert_array_equal(layer.data_to_world(layer.data[0]), [2, 1, 2])
    assert layer.features["score"].tolist() == [0.7, 0.5]
    assert layer.features["id"].tolist() == [1, 2]
    assert layer.metadata["hmz"]["model"] == "m"
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert shown.status.line == "Done: 2 points."


def test_boxes_are_rectangles_in_the_planes_that_they_reach_through(qtbot: QtBot) -> None:
    shown = Shown(BOXES)
    shown.sheets["cells"].add("rows/0", BOX_ROWS)
    shown.end()
    layer = shown.viewer.layers[-1]
    assert isinstance(layer, Shapes)
    assert [float(shape[0][0]) for shape in layer.data] == [2, 3, 4]
    np.testing.assert_array_equal(layer.data[0].min(axis=0), [2, 3.5, 9.5])
    np.testing.assert_array_equal(layer.data[0].max(axis=0), [2, 7.5, 19.5])
    assert layer.features["id"].tolist() == [1, 1, 1]


def test_very_many_boxes_are_shown_in_their_middle_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_looks, "MOST_RECTANGLES", 2)
    corners, origins = rectangles(BOXES, BOX_ROWS)
    assert corners[:, :, 0].tolist() == [[3.0] * 4]
    assert origins.tolist() == [0]


def test_without_rows_there_is_an_empty_layer(qtbot: QtBot) -> None:
    shown = Shown(POINTS, BOXES)
    shown.end()
    assert [len(layer.data) for layer in shown.viewer.layers[1:]] == [0, 0]


def test_a_removed_layer_does_not_come_back_and_a_preview_goes(qtbot: QtBot) -> None:
    shown = Shown(POINTS, BOXES)
    shown.viewer.layers.remove(shown.viewer.layers[1])
    shown.sheets["spots"].add("rows/1", ROWS)
    shown.view.take(Listed("spots"))
    shown.end()
    assert [layer.name for layer in shown.viewer.layers] == ["i", "i cells (m)"]
    shown.view.remove()
    assert [layer.name for layer in shown.viewer.layers] == ["i"]


def test_a_table_is_shown_at_the_end_and_saved(
    qtbot: QtBot, tmp_path: Path, make_napari_viewer: Untyped
) -> None:
    view = RowView(row_table(TABLE, ROWS), "i means (m)")
    qtbot.addWidget(view)
    assert view.view.model().rowCount() == 2
    assert view.view.model().headerData(0, view.view.horizontalHeader().orientation()) == "id"
    view.save_to(tmp_path / "means.csv")
    qtbot.waitUntil(lambda: "Saved" in view.status.line, timeout=10_000)
    assert (tmp_path / "means.csv").read_text().startswith("id,z_um,y_um,x_um,z_index")


def test_a_run_taken_up_elsewhere_lies_where_its_table_says() -> None:
    geometry = planned_picture(run_of(POINTS), ("z", "y", "x")).geometry
    np.testing.assert_array_equal(geometry.scale, [2, 0.5, 0.5])
    np.testing.assert_array_equal(geometry.translate, [10, 0, 0])


def test_a_store_shows_points_and_boxes_again(tmp_path: Path) -> None:
    run = run_of(POINTS, BOXES, TABLE)
    writer = OutputWriter.prepare(tmp_path / "o.ome.zarr", run)
    for table, rows in ((POINTS, ROWS), (BOXES, BOX_ROWS), (TABLE, ROWS)):
        row_table(table, rows).write_csv(writer.table_path(table.name))
    writer.finish(run)
    layers = read_results(str(tmp_path / "o.ome.zarr"))
    assert [kind for _, _, kind in layers] == ["points", "shapes", "points"]
    viewer = ViewerModel()
    for data, arguments, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **arguments)
    points, boxes = viewer.layers[0], viewer.layers[1]
    assert points.name == "o spots"
    np.testing.assert_array_equal(points.data, ROWS[:, :3])
    assert points.features["score"].tolist() == [0.5, 0.7]
    np.testing.assert_array_equal(points.data_to_world([0, 0, 0]), [10, 0, 0])
    assert len(boxes.data) == 3
