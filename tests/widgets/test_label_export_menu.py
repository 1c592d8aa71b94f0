"""A labels layer is exported beside its image, or as a new store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pytestqt.qtbot import QtBot

from hmz_widgets.label_export import label_image
from hmz_widgets.labelled import label_picture
from hmz_widgets.object_dock import ObjectDock
from napari_hmz import sample
from napari_hmz.sources import open_source

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""


@pytest.fixture
def dock(object_dock: ObjectDock) -> ObjectDock:
    return object_dock


@pytest.fixture
def image_path(tmp_path: Path) -> Path:
    """Return the path of an image with two channels, (c, z, y, x)."""
    root = zarr.create_group(tmp_path / "i.ome.zarr")
    root.create_array("0", data=np.zeros((2, 5, 30, 40), np.uint8))
    space = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale = {"type": "scale", "scale": [1, 2, 0.5, 0.5]}
    multiscale = {
        "axes": [{"name": "c", "type": "channel"}, *space],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    ome: Untyped = {"version": "0.5", "multiscales": [multiscale]}
    root.attrs["ome"] = ome
    return tmp_path / "i.ome.zarr"


def shown(viewer: Untyped, path: Path) -> Untyped:
    """Show one channel of the image as readers do, with the path that it came from."""
    from napari.layers._source import layer_source

    with layer_source(path=str(path)):
        return viewer.add_image(
            np.zeros((5, 30, 40), np.uint8), scale=(2, 0.5, 0.5), units=("um",) * 3
        )


def offers(dock: ObjectDock) -> list[str]:
    dock.export.offer()
    return [action.text() for action in dock.export.menu.actions()]


def test_labels_go_beside_their_image(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot, image_path: Path
) -> None:
    shown(viewer, image_path)
    values = np.arange(2 * 10 * 12, dtype=np.int32).reshape(2, 10, 12)
    viewer.add_labels(
        values, name="my cells", scale=(2, 0.5, 0.5), translate=(4, 1, 0), units=("um",) * 3
    )
    assert offers(dock) == ["Beside the image in i.ome.zarr", "As a new OME-Zarr …"]
    dock.export.menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: "labels/my_cells" in dock.status.line)
    written = open_source(image_path / "labels/my_cells").read({})[0]
    np.testing.assert_array_equal(written[2:4, 2:12, :12], values)
    assert np.count_nonzero(written) == np.count_nonzero(values)
    dock.export.menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: "exists already" in dock.status.message)
    qtbot.waitUntil(dock.export.native.isEnabled)


def test_another_image_than_its_layer_says_is_refused(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot, image_path: Path
) -> None:
    from napari.layers._source import layer_source

    with layer_source(path=str(image_path)):
        image = viewer.add_image(np.zeros((5, 30, 41), np.uint8))
    layer = viewer.add_labels(np.ones((5, 30, 40), np.uint8))
    dock.export.export_beside(layer, image)
    qtbot.waitUntil(lambda: "has the extents" in dock.status.message)
    assert not (image_path / "labels").exists()


def test_a_new_store_has_the_layer_s_place_and_name(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot, tmp_path: Path
) -> None:
    layer = viewer.add_labels(
        np.ones((30, 40), bool),
        name="a & b",
        scale=(0.5, 0.25),
        translate=(3, 4),
        units=("um",) * 2,
    )
    assert offers(dock) == ["As a new OME-Zarr …"]
    dock.export.export_to(layer, tmp_path / "o.ome.zarr")
    qtbot.waitUntil(lambda: dock.status.line.startswith("Saved"))
    source = open_source(tmp_path / "o.ome.zarr/labels/a_b")
    assert source.request.voxel_size == {"y": 0.5, "x": 0.25}
    assert source.request.translation == {"y": 3.0, "x": 4.0}
    assert source.read({}).all()


def test_a_rotation_that_cannot_be_stored_is_told(
    viewer: Untyped, dock: ObjectDock, qtbot: QtBot, tmp_path: Path
) -> None:
    layer = viewer.add_labels(np.ones((30, 40), np.uint8), rotate=20)
    dock.export.export_to(layer, tmp_path / "o.ome.zarr")
    qtbot.waitUntil(lambda: "rotation and shear are not stored" in dock.status.line)


def test_images_that_are_no_zarr_of_this_machine_are_not_offered(
    viewer: Untyped, dock: ObjectDock
) -> None:
    for path in (Path("/data/image.tif"), "https://x.org/i.zarr", sample.nuclei()):
        shown(viewer, path)  # type: ignore[arg-type] # an address, too
    viewer.add_labels(np.ones((5, 30, 40), np.uint8), scale=(2, 0.5, 0.5))
    assert offers(dock) == ["Beside the image in nuclei.ome.zarr", "As a new OME-Zarr …"]


def test_classes_and_provenance_go_along_and_odd_metadata_do_no_harm(viewer: Untyped) -> None:
    one = {"value": 1, "name": "nucleus", "color": "#ff0000"}
    said = {"hmz": {"model": "m"}, "hmz_output": {"kind": "semantic-labels", "classes": [one]}}
    found = [
        label_picture(viewer.add_labels(np.ones((3, 4), np.uint8), metadata=metadata))
        for metadata in (said, {"hmz": 7, "hmz_output": {"classes": [{"x": 1}]}}, {"hmz_output": 3})
    ]
    first, *odd = [label_image(picture) for picture in found if picture is not None]
    assert first.array.classes[0].name == "nucleus"
    assert first.provenance == {"model": "m"}
    assert [(labels.array.classes, labels.provenance) for labels in odd] == [((), None)] * 2
