"""A zarr that is dropped on the dock becomes layers and is chosen, or it is said why not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from qtpy.QtWidgets import QApplication

import napari_hmz
from hmz_widgets.drop import best_reader
from napari_hmz import sample

OpenZoo = Callable[..., Any]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""

MANIFEST = Path(napari_hmz.__file__).parent / "napari.yaml"
_COPY, _LEFT = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
_NO_KEY = Qt.KeyboardModifier.NoModifier

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def registered(npe2pm: PluginManager) -> None:
    """Our reader beside napari's own."""
    npe2pm.register(PluginManifest.from_distribution("napari"))
    npe2pm.register(PluginManifest.from_file(MANIFEST))


def files(paths: Sequence[Path]) -> QMimeData:
    """Return what a file manager drags."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def text(words: str) -> QMimeData:
    """Return what a browser's address line drags."""
    data = QMimeData()
    data.setText(words)
    return data


def drag(widget: Untyped, data: QMimeData) -> bool:
    """Drag something over a widget, as Qt tells of it, and say whether the widget would take it."""
    entering = QDragEnterEvent(QPoint(9, 9), _COPY, data, _LEFT, _NO_KEY)
    entering.ignore()
    QApplication.sendEvent(widget, entering)
    moving = QDragMoveEvent(QPoint(9, 9), _COPY, data, _LEFT, _NO_KEY)
    moving.ignore()
    QApplication.sendEvent(widget, moving)
    assert entering.isAccepted() == moving.isAccepted()
    return bool(entering.isAccepted())


def drop(widget: Untyped, data: QMimeData) -> None:
    """Drop something on a widget that takes it."""
    assert drag(widget, data)
    QApplication.sendEvent(widget, QDropEvent(QPointF(9, 9), _COPY, data, _LEFT, _NO_KEY))


def test_an_ome_zarr_from_a_file_manager_is_opened_and_chosen(open_zoo: OpenZoo) -> None:
    zoo = open_zoo()
    zoo.viewer.add_image(np.zeros((9, 9), np.uint8), name="before")
    drop(zoo.dock, files([sample.nuclei()]))
    layer = zoo.viewer.layers["nuclei"]
    assert zoo.page.image.layer() == layer
    np.testing.assert_allclose(layer.scale, [0.29, 0.26, 0.26], atol=0.01)
    assert layer.source.reader_plugin == "napari-hmz"
    assert not zoo.page.status.message


def test_a_bare_zarr_is_opened_by_naparis_own_reader(open_zoo: OpenZoo, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "my image.zarr", data=np.ones((8, 8), np.uint8))
    zoo = open_zoo()
    zoo.dock.show_page(zoo.dock.runs_page)
    drop(zoo.dock, text(str(tmp_path / "my image.zarr")))
    (layer,) = zoo.viewer.layers
    assert layer.source.reader_plugin == "napari"
    assert zoo.dock.tabs.currentWidget() is zoo.page.native


def test_a_place_that_is_not_there_is_said_in_the_dock(open_zoo: OpenZoo, tmp_path: Path) -> None:
    zoo = open_zoo()
    zoo.page.models.browse()
    drop(zoo.dock, text(f"file://{tmp_path}/gone.zarr"))
    assert "gone.zarr" in zoo.page.status.message
    assert "Check the place" in zoo.page.status.message
    assert zoo.page.native.currentIndex() == 0, "the message must be seen"
    drop(zoo.dock, text("http://127.0.0.1:9/far.ome.zarr"))
    assert "far.ome.zarr" in zoo.page.status.message
    assert not zoo.viewer.layers


def test_what_is_no_zarr_is_left_to_napari(open_zoo: OpenZoo, tmp_path: Path) -> None:
    zoo = open_zoo()
    assert not drag(zoo.dock, files([tmp_path / "a.tif"]))
    assert not drag(zoo.dock, text("nuclei"))
    assert not drag(zoo.dock, QMimeData())


def test_ours_is_first_where_it_can_and_the_built_in_one_last(tmp_path: Path) -> None:
    ours = str(sample.nuclei())
    assert best_reader(ours, ["napari", "napari-hmz", "other"]) == "napari-hmz"
    bare = str(tmp_path / "bare.zarr")
    zarr.create_array(bare, data=np.ones((8, 8), np.uint8))
    assert best_reader(bare, ["napari", "napari-hmz", "other"]) == "other"
    assert best_reader(bare, ["napari", "napari-hmz"]) == "napari"
