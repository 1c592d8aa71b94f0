"""Each kind of output becomes the layers that show it best."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from hmz_widgets.appearance import looks
from hmz_widgets.layers import OutputLayer, picture
from napari_hmz.live import blank
from napari_hmz.schema import AXIS_ORDER, ChunkDone, OutputArray, full_region, sizes_of
from napari_hmz.testing.fake_run import fake_run

CLASSES = (
    {"value": 1, "name": "nucleus", "color": "#ff8000"},
    {"value": 2, "name": "<b>other</b>"},
)


def output(
    kind: str, axes: str = "yx", shape: tuple[int, ...] = (20, 30), **more: object
) -> OutputArray:
    letters = tuple(axis for axis in AXIS_ORDER if axis in axes)
    sizes = sizes_of(letters, shape)
    said = {"name": "o", "kind": kind, "axes": letters, "shape": sizes, "chunks": sizes}
    return OutputArray.model_validate({"dtype": "uint8"} | said | more)


def shown(made: OutputArray, qtbot: QtBot) -> tuple[ViewerModel, OutputLayer, Any]:
    viewer = ViewerModel()
    scale, units = (0.5, 0.25), ("um", "um")
    image = viewer.add_image(np.zeros((20, 30), np.uint8), name="i", scale=scale, units=units)
    canvas = blank(made)
    run = fake_run(made, region={"y": (4, 20), "x": (0, 30)})
    return viewer, OutputLayer(viewer, canvas, picture(image, ("y", "x")), run), canvas


def test_classes_have_their_names_and_colours(qtbot: QtBot) -> None:
    viewer, shows, canvas = shown(output("semantic-labels", classes=CLASSES), qtbot)
    canvas.array[0, :3] = [1, 2, 77]
    shows.finish()
    layer = viewer.layers[-1]
    np.testing.assert_allclose(layer.get_color(1), [1, 0.5, 0, 1], atol=0.01)
    assert layer.get_color(2)[3] == 1  # it has chosen none, and gets one
    np.testing.assert_allclose(layer.get_color(77), [0.5, 0.5, 0.5, 1], atol=0.01)
    assert layer.get_color(0) is None or layer.get_color(0)[3] == 0
    assert dict(zip(layer.features["index"], layer.features["class"], strict=True)) == {
        1: "nucleus",
        2: "<b>other</b>",
    }
    said = layer.metadata["hmz_output"]
    assert [one["name"] for one in said["classes"]] == ["nucleus", "<b>other</b>"]
    assert layer.metadata["hmz"]["model"] == "m"
    shows.close()


def test_instances_have_napari_s_own_colours(qtbot: QtBot) -> None:
    (look,) = looks(output("instance-labels", classes=CLASSES), ("y", "x"))
    assert look.layer_type == "labels"
    assert look.arguments == {}


def test_each_class_has_a_layer_of_its_probabilities(qtbot: QtBot) -> None:
    made = output(
        "probabilities",
        "cyx",
        (2, 20, 30),
        dtype="float32",
        channels=("nucleus", "ground"),
        classes=CLASSES,
    )
    viewer, shows, canvas = shown(made, qtbot)
    first, second = viewer.layers[1:]
    assert [first.name, second.name] == ["i o (m): nucleus", "i o (m): ground"]
    region = full_region(made.shape)
    done = ChunkDone(number=1, output="o", key="c", region=region, final=True, digest="d")
    canvas.fill(done, np.stack([np.full((20, 30), 0.25), np.full((20, 30), 0.75)]))
    shows.mark(region)
    shows.finish()
    for layer, value in ((first, 0.25), (second, 0.75)):
        assert layer.data.shape == (20, 30)
        assert layer.data[3, 4] == value
        assert layer.contrast_limits == [0, 1]
        np.testing.assert_allclose(layer.data_to_world((0, 0)), [4 * 0.5, 0])
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    np.testing.assert_allclose(first.colormap.colors[-1], [1, 0.5, 0, 1], atol=0.01)
    shows.close()


@pytest.mark.parametrize("image_axes", ["cyx", "yx"])
def test_channels_of_the_image_and_many_channels_stay_an_axis(image_axes: str) -> None:
    made = output("image", "cyx", (2 if "c" in image_axes else 64, 20, 30), dtype="float32")
    (look,) = looks(made, tuple(image_axes))  # type: ignore[arg-type] # axes, letter by letter
    assert look.channel is None
    assert look.axes(made) == ("c", "y", "x")


def test_a_removed_class_does_not_stop_the_others(qtbot: QtBot) -> None:
    made = output("probabilities", "cyx", (2, 20, 30), dtype="float32", channels=("a", "b"))
    viewer, shows, _ = shown(made, qtbot)
    redrawn: list[str] = []
    viewer.layers.remove(viewer.layers[1])
    viewer.layers[-1].events.set_data.connect(lambda: redrawn.append("b"))
    shows.mark(full_region(made.shape))
    qtbot.waitUntil(lambda: bool(redrawn))
    shows.close()
