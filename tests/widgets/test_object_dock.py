"""The object table: measured in a worker, tied to its layer both ways, saved as CSV."""

import csv
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from hmz_widgets.labelled import label_picture, offset_in
from hmz_widgets.object_dock import ObjectDock
from hmz_widgets.object_link import camera_of, joined
from hmz_widgets.object_model import ObjectModel
from napari_hmz.objects import Column, ObjectTable

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


def cells() -> Untyped:
    labels = np.zeros((6, 40, 50), np.uint16)
    labels[1, 2:6, 4:8] = 3
    labels[4:6, 30:38, 40:48] = 9
    labels[0, 10:12, 10:12] = 5
    return labels


@pytest.fixture
def dock(object_dock: ObjectDock) -> ObjectDock:
    return object_dock


def measured(dock: ObjectDock, qtbot: QtBot) -> ObjectTable:
    dock.measure()
    qtbot.waitUntil(lambda: dock.model.table is not None and dock.measure_button.isEnabled())
    assert dock.model.table is not None
    return dock.model.table


def texts(dock: ObjectDock, column: int = 0) -> list[str]:
    model = dock.model
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def test_the_objects_of_a_layer_are_measured_in_its_units(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    assert not dock.measure_button.isEnabled()
    viewer.add_labels(cells(), scale=(2, 0.5, 0.5), units=("um",) * 3, translate=(10, 0, 0))
    table = measured(dock, qtbot)
    assert table.column("volume_um3").values.tolist() == [8.0, 2.0, 64.0]
    assert table.column("centroid_z_um").values.tolist() == [12.0, 10.0, 19.0]
    assert texts(dock) == ["3", "5", "9"]
    assert dock.status.line == "3 objects in Labels"
    features = viewer.layers[0].features
    assert features["index"].tolist() == [3, 5, 9]
    assert features["volume_um3"].tolist() == [8.0, 2.0, 64.0]


def test_a_row_leads_to_its_object_and_a_label_to_its_row(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    viewer.add_image(np.zeros((2, 6, 40, 50)))  # time comes before the layer's axes
    layer = viewer.add_labels(cells(), scale=(2, 0.5, 0.5))
    viewer.dims.set_point(0, 1)
    measured(dock, qtbot)
    dock.view.selectRow(2)
    assert layer.selected_label == 9
    assert viewer.dims.point[0] == 1
    assert viewer.dims.point[1] == pytest.approx(9, abs=1.01)  # between two planes
    np.testing.assert_allclose(camera_of(viewer).center[-2:], [16.75, 21.75])
    before = camera_of(viewer).center
    layer.selected_label = 5
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [1]
    assert camera_of(viewer).center == before
    layer.selected_label = 777
    assert not dock.view.selectionModel().selectedRows()


def test_in_space_the_camera_looks_at_the_object(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    viewer.add_labels(cells(), scale=(2, 0.5, 0.5))
    viewer.dims.ndisplay = 3
    measured(dock, qtbot)
    dock.view.selectRow(0)
    np.testing.assert_allclose(camera_of(viewer).center, [2, 1.75, 2.75])


def test_a_title_sorts_and_the_chosen_object_stays_chosen(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    layer = viewer.add_labels(cells())
    measured(dock, qtbot)
    dock.view.selectRow(0)
    dock.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert texts(dock) == ["9", "3", "5"]
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [1]
    assert layer.selected_label == 3
    layer.selected_label = 5
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [2]


def test_the_image_below_is_measured_where_the_labels_lie(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    image = np.random.default_rng(0).integers(0, 999, (9, 60, 70)).astype(np.uint16)
    viewer.add_image(image, name="below", scale=(2, 0.5, 0.5), translate=(1, 1, 1))
    viewer.add_image(image, name="elsewhere", scale=(1, 0.5, 0.5))
    viewer.add_labels(cells(), scale=(2, 0.5, 0.5), translate=(1 + 2 * 2, 1 + 5 * 0.5, 1))
    offered = [dock.image.native.itemText(row) for row in range(dock.image.native.count())]
    assert offered == ["none", "below"]
    dock.image.choose(viewer.layers["below"])
    table = measured(dock, qtbot)
    part = image[2:8, 5:45, :50]
    expected = [part[cells() == label].mean() for label in (3, 5, 9)]
    np.testing.assert_allclose(table.column("intensity_mean").values, expected)


def test_the_table_is_saved_as_csv(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot, tmp_path: Path
) -> None:
    viewer.add_labels(cells())
    measured(dock, qtbot)
    dock.save_to(tmp_path / "t.csv")
    qtbot.waitUntil(lambda: dock.status.line.startswith("Saved"))
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["3", "5", "9"]
    dock.save_to(tmp_path / "t.csv" / "t.csv")
    qtbot.waitUntil(lambda: "cannot be written" in dock.status.message)


def test_data_that_cannot_be_read_are_told_in_the_dock(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    def fail(block: Untyped) -> Untyped:
        if fails[0]:
            raise OSError("the share is gone")
        return block

    fails = [False]
    lazy = da.from_array(cells()).map_blocks(fail, meta=np.zeros((0, 0, 0), np.uint16))
    viewer.add_labels(lazy)
    fails[0] = True
    dock.measure()
    qtbot.waitUntil(lambda: "the share is gone" in dock.status.message)
    qtbot.waitUntil(dock.measure_button.isEnabled)
    assert dock.model.rowCount() == 0
    fails[0] = False
    measured(dock, qtbot)


def test_a_removed_layer_takes_its_table_along(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    viewer.add_labels(cells())
    measured(dock, qtbot)
    viewer.layers.clear()
    assert dock.model.rowCount() == 0
    assert not dock.csv_button.isEnabled()


def test_painted_labels_are_to_be_measured_again(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot
) -> None:
    layer = viewer.add_labels(cells())
    measured(dock, qtbot)
    layer.fill((1, 2, 4), 12)
    assert "measure again" in dock.status.line


def test_a_layer_of_a_part_turned_or_between_voxels_lies_nowhere() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((9, 60, 70)))
    for place in ({"translate": (0.5, 0, 0)}, {"rotate": (0, 0, 10)}, {"translate": (5, 0, 0)}):
        assert offset_in(image, viewer.add_labels(cells(), **place)) is None
    assert offset_in(image, viewer.add_labels(cells(), translate=(3, 20, 20))) == (3, 20, 20)


def test_a_pyramid_is_measured_at_its_finest_level() -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels([cells(), cells()[:, ::2, ::2]], multiscale=True)
    picture = label_picture(layer)
    assert picture is not None
    assert picture.shape == {"z": 6, "y": 40, "x": 50}


def test_what_others_said_of_labels_stays() -> None:
    table = ObjectTable(np.array([2, 4]), [Column("voxels", "", np.array([7, 8]))])
    old = pd.DataFrame({"index": [1, 2], "class": ["a", "b"]})
    both = joined(old, table)
    assert both["index"].tolist() == [1, 2, 4]
    assert both["class"].tolist()[:2] == ["a", "b"]
    assert both["voxels"].tolist()[1:] == [7, 8]
    again = joined(both, table)
    pd.testing.assert_frame_equal(again, both)


def test_a_hundred_thousand_rows_are_shown_and_sorted_at_once(qtbot: QtBot) -> None:
    count = 100_000
    values = np.random.default_rng(0).random(count)
    model = ObjectModel()
    asked = [0]

    class Counting(np.ndarray):
        def __getitem__(self, key: Untyped) -> Untyped:
            asked[0] += 1
            return super().__getitem__(key)

    column = Column("size", "um3", values.view(Counting))
    model.show(ObjectTable(np.arange(1, count + 1), [column]))
    model.sort(1, Qt.SortOrder.DescendingOrder)
    assert asked[0] < 100  # no figure is touched by itself
    assert model.label(0) == int(np.argmax(values)) + 1
    row = model.row_of(77)
    assert row is not None
    assert model.label(row) == 77


@pytest.mark.gui
def test_the_dock_works_in_napari_s_window_and_leaves_nothing_behind(
    make_napari_viewer_proxy: Untyped, qtbot: QtBot, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    dock = ObjectDock(viewer)
    viewer.window.add_dock_widget(dock, name="Object table")
    image = viewer.add_image(np.ones((6, 40, 50), np.uint8), name="below")
    layer = viewer.add_labels(cells())
    dock.image.choose(image)
    measured(dock, qtbot)
    dock.view.selectRow(2)
    assert layer.selected_label == 9
    np.testing.assert_allclose(camera_of(viewer).center[-2:], [33.5, 43.5])
    assert viewer.dims.current_step[0] in (4, 5)
    layer.selected_label = 3
    assert [index.row() for index in dock.view.selectionModel().selectedRows()] == [0]
    dock.export.offer()
    dock.export.export_to(layer, tmp_path / "o.ome.zarr")
    qtbot.waitUntil(lambda: dock.status.line.startswith("Saved"))
    viewer.layers.remove(layer)
    assert dock.model.rowCount() == 0
