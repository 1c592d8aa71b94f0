"""Outputs of a run that was started elsewhere lie where its image lies."""

from typing import Any

import numpy as np
from napari.components import ViewerModel

from hmz_widgets.run_picture import layers_of, picture_of
from napari_hmz.schema import OutputArray, Region, Run
from napari_hmz.testing.fake_run import fake_run

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
WHOLE: Region = {"z": (0, 4), "y": (0, 20), "x": (0, 30)}
PART: Region = {"z": (1, 3), "y": (5, 20), "x": (0, 30)}


def a_run(region: Region = WHOLE, *, asked: Region | None = None) -> Run:
    labels = OutputArray(
        name="cells",
        kind="instance-labels",
        axes=("z", "y", "x"),
        shape={axis: end - start for axis, (start, end) in region.items()},
        chunks={"z": 4, "y": 20, "x": 30},
        dtype="uint32",
        voxel_size={"z": 2.0, "y": 0.5, "x": 0.5},
        units=dict.fromkeys(("z", "y", "x"), "micrometer"),
        translation={"z": 10.0 + 2.0 * region["z"][0], "y": 0.5 * region["y"][0], "x": 0.0},
    )
    run = fake_run(labels, region=region)
    request = run.request.model_copy(update={"region": asked or {}})
    return run.model_copy(update={"request": request})


def viewer_with(*shapes: tuple[int, ...], name: str = "n") -> Untyped:
    viewer = ViewerModel()
    for shape in shapes:
        viewer.add_image(np.zeros(shape, np.uint8), name=name, scale=[3.0] * len(shape))
    return viewer


def test_the_layer_of_the_same_name_and_extents_is_the_image() -> None:
    viewer = viewer_with((4, 20, 30))
    image = picture_of(a_run(), viewer.layers)
    assert image.data is viewer.layers[0].data
    np.testing.assert_allclose(image.geometry.scale, 3.0)
    assert image.axes == ("z", "y", "x")


def test_a_layer_of_other_extents_or_of_another_name_is_not() -> None:
    for viewer in (
        viewer_with((4, 20, 31)),
        viewer_with((20, 30)),
        viewer_with((4, 20, 30), name="m"),
    ):
        assert picture_of(a_run(), viewer.layers).data is None


def test_labels_of_that_name_are_not_the_image() -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((4, 20, 30), np.uint8), name="n")
    assert picture_of(a_run(), viewer.layers).data is None


def test_of_a_run_over_a_part_the_image_may_be_larger() -> None:
    run = a_run(PART, asked=PART)
    assert picture_of(run, viewer_with((4, 20, 30)).layers).data is not None
    assert picture_of(run, viewer_with((2, 20, 30)).layers).data is None


def test_without_the_image_outputs_lie_where_the_plan_says() -> None:
    image = picture_of(a_run(PART, asked=PART), [])
    output = image.geometry.of_output(image.axes, {"z": 1, "y": 5, "x": 0})
    np.testing.assert_allclose(image.geometry.translate, (10.0, 0.0, 0.0))
    np.testing.assert_allclose(output.translate, (12.0, 2.5, 0.0))
    np.testing.assert_allclose(output.scale, (2.0, 0.5, 0.5))
    assert output.units == ("micrometer",) * 3
    assert image.name == "n"


def test_layers_of_a_run_are_known_by_their_provenance() -> None:
    viewer = viewer_with((4, 20, 30))
    mine = viewer.add_labels(np.zeros((4, 20, 30), int), metadata={"hmz": {"run": "r1"}})
    viewer.add_labels(np.zeros((4, 20, 30), int), metadata={"hmz": "a stranger's"})
    assert layers_of("r1", viewer.layers) == [mine]
