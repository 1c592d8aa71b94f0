"""Whether a layer can feed a model, and the one sentence that says why not."""

from typing import Any

import pytest

from napari_hmz.catalogue import ImageDescription, likely_axes, misfit, size_misfit
from napari_hmz.schema import Axes, InputSpec

PLANE, CUBE = (
    InputSpec(name="image", axes=("y", "x")),
    InputSpec(name="image", axes=("z", "y", "x")),
)
COLOURS = InputSpec(name="image", axes=("c", "y", "x"), channels=("red", "green", "blue"))
LABELS = InputSpec(name="cells", kind="labels", axes=("y", "x"))
SIZED = InputSpec(name="image", axes=("y", "x"), voxel_size_um={"y": 0.5, "x": 0.5})


def layer(*shape: int, **changes: object) -> ImageDescription:
    given: dict[str, Any] = {"labels": tuple(f"-{n}" for n in range(len(shape), 0, -1))}
    return ImageDescription(**{"shape": shape, "dtype": "uint16", **given, **changes})


@pytest.mark.parametrize(
    ("spec", "image"),
    [
        (PLANE, layer(64, 64)),
        (PLANE, layer(8, 64, 64)),  # plane by plane
        (CUBE, layer(8, 64, 64)),
        (CUBE, layer(3, 8, 64, 64)),
        (PLANE, layer(2, 64, 64, labels=("c", "y", "x"))),  # channel by channel
        (COLOURS, layer(3, 64, 64)),
        (COLOURS, layer(64, 64, 3, rgb=True)),
        (COLOURS, layer(4, 64, 64, labels=("c", "y", "x"))),  # three of them are picked
        (COLOURS, layer(64, 64, beside=2)),  # a layer for each channel
        (COLOURS, layer(2, 64, 64, labels=("c", "y", "x"), beside=1)),
        (LABELS, layer(64, 64, kind="labels", dtype="int64")),
        (PLANE, layer(64, 64, dtype="bool")),
        (PLANE, layer(64, 64, dtype="no such type")),  # the backend's to say
        (SIZED, layer(64, 64, voxel_size=(0.9, 0.9), units=("um", "um"))),
        (SIZED, layer(64, 64, voxel_size=(900, 900), units=("nanometer", "nanometer"))),
        (SIZED, layer(64, 64, voxel_size=(9.0, 9.0), units=("pixel", "pixel"))),  # not known
        (SIZED, layer(64, 64)),
    ],
)
def test_what_fits(spec: InputSpec, image: ImageDescription) -> None:
    assert not misfit(spec, image)
    assert not size_misfit(spec, image)


@pytest.mark.parametrize(
    ("spec", "image", "word"),
    [
        (CUBE, layer(64, 64), "axis z"),
        (CUBE, layer(8, 64, 64, labels=("time", "y", "x")), "axis z"),
        (InputSpec(name="i", axes=("t", "y", "x")), layer(8, 64, 64), "time axis"),
        (PLANE, layer(2, 2, 2, 2, 64, 64), "6 dimensions"),
        (PLANE, layer(64), "1 dimensions"),
        (PLANE, layer(64, 64, 3, rgb=True), "colour"),
        (COLOURS, layer(64, 64, 4, rgb=True), "colour"),
        (COLOURS, layer(64, 64), "3 channels (red, green, blue); the layer has a single one"),
        (COLOURS, layer(2, 64, 64, labels=("c", "y", "x")), "the layer has 2"),
        (COLOURS, layer(64, 64, beside=1), "3 channels"),
        (LABELS, layer(64, 64), "takes labels, and the layer holds an image"),
        (PLANE, layer(64, 64, dtype="float64"), "float64"),
        (PLANE, layer(64, 64, dtype="complex64"), "complex64"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(
    spec: InputSpec, image: ImageDescription, word: str
) -> None:
    why = misfit(spec, image)
    assert word in why
    assert why[0].isupper()
    assert why.endswith(".")
    assert "\n" not in why


def test_chosen_axes_count_more_than_likely_ones() -> None:
    stack = layer(8, 64, 64)
    assert likely_axes(CUBE, stack) == ("z", "y", "x")
    chosen: Axes = ("t", "y", "x")
    assert "axis z" in misfit(CUBE, stack, chosen)


def test_a_voxel_size_far_from_the_models_is_told_with_both_figures() -> None:
    coarse = layer(64, 64, voxel_size=(2.0, 0.5), units=("micrometer", "micrometer"))
    assert not misfit(SIZED, coarse), "it can be run, rescaled or as it is"
    assert "y 2 µm, not 0.5 µm" in size_misfit(SIZED, coarse)
    assert "x" not in size_misfit(SIZED, coarse).partition(":")[2]


def test_the_tolerance_is_the_models() -> None:
    strict = SIZED.model_copy(update={"voxel_size_tolerance": 1.1})
    near = layer(64, 64, voxel_size=(0.6, 0.6), units=("um", "um"))
    assert size_misfit(strict, near)
    assert not size_misfit(SIZED, near)
