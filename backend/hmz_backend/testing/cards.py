"""Models for tests: cards, and the functions that a `FakeEngine` computes for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.engines.protocol import TileRequest
from napari_hmz.schema import (
    InputSpec,
    ModelCard,
    OutputKind,
    OutputSpec,
    ParameterSpec,
    SizeRule,
    StitchSpec,
    TileSpec,
)

VERSION = "1.0.0"
SPACE = ("z", "y", "x")
Arrays = Mapping[str, NDArray[Any]]


def _card(
    name: str,
    axes: tuple[str, ...],
    output: OutputSpec,
    preferred: int,
    parameters: Mapping[str, ParameterSpec] | None = None,
) -> ModelCard:
    spatial = [axis for axis in axes if axis != "c"]
    spec = InputSpec(
        name="image",
        axes=axes,
        dtypes=("uint8", "uint16", "float32"),
        sizes={axis: SizeRule(minimum=4, step=4) for axis in spatial},
    )
    return ModelCard(
        id=name,
        version=VERSION,
        name=name,
        summary=f"For tests: {name}",
        task="instance-segmentation" if output.kind == "instance-labels" else "restoration",
        digest="0" * 64,
        inputs=(spec,),
        outputs=(output,),
        parameters=dict(parameters or {}),
        tile=TileSpec(preferred=dict.fromkeys(spatial, preferred), halo=dict.fromkeys(spatial, 4)),
    )


def _labels(axes: tuple[str, ...]) -> OutputSpec:
    return OutputSpec(
        name="labels",
        kind="instance-labels",
        axes=axes,
        dtype="uint32",
        stitch=StitchSpec(mode="merge-labels", rule="overlap"),
    )


def _rows(kind: OutputKind, axes: tuple[str, ...], columns: tuple[str, ...]) -> OutputSpec:
    return OutputSpec(name="found", kind=kind, axes=axes, dtype="float32", columns=columns)


def _image(axes: tuple[str, ...], stitch: StitchSpec) -> OutputSpec:
    return OutputSpec(name="out", kind="image", axes=axes, dtype="uint8", stitch=stitch)


def _with_input(card: ModelCard, name: str, **update: object) -> ModelCard:
    spec = card.inputs[0].model_copy(update={"name": name, **update})
    return card.model_copy(update={"inputs": (*card.inputs, spec)})


LEVEL = ParameterSpec(type="number", default=230, minimum=0, maximum=255)
BOX_2D = ("y_start", "x_start", "y_stop", "x_stop", "voxels")
CROP, BLEND = StitchSpec(mode="crop"), StitchSpec(mode="blend")
CARDS = (
    _card("copy", SPACE, _image(SPACE, CROP), 24),
    _card("copy-2d", ("y", "x"), _image(("y", "x"), CROP), 24),
    _card("blended", SPACE, _image(SPACE, BLEND), 24),
    _card("components", SPACE, _labels(SPACE), 24, {"level": LEVEL}),
    _card("components-2d", ("y", "x"), _labels(("y", "x")), 24, {"level": LEVEL}),
    _card("bright", SPACE, _rows("points", SPACE, (*SPACE, "value")), 24),
    _card("bright-2d", ("y", "x"), _rows("points", ("y", "x"), ("y", "x", "value")), 24),
    _card("boxes-2d", ("y", "x"), _rows("boxes", ("y", "x"), BOX_2D), 24),
    _card("means", SPACE, _rows("table", SPACE, ("mean",)), 24),
    _with_input(_card("difference", SPACE, _image(SPACE, CROP), 24), "dark", optional=True),
    _with_input(
        _card("masked", SPACE, _image(SPACE, CROP), 24), "cells", kind="labels", dtypes=("uint32",)
    ),
)


def copy(request: TileRequest) -> Arrays:
    """Give back the tile."""
    return {"out": request.inputs["image"]}


def components(request: TileRequest) -> Arrays:
    """Label what is brighter than parameter `level`, with full connectivity."""
    image = np.asarray(request.inputs["image"])
    bright = image > float(str(request.parameters["level"]))
    labels, _ = ndimage.label(bright, np.ones([3] * image.ndim))
    return {"labels": np.asarray(labels, np.uint32)}


def bright(request: TileRequest) -> Arrays:
    """Find every voxel that is brighter than 250."""
    image = np.asarray(request.inputs["image"])
    where = np.nonzero(image > 250)  # as it says
    return {"found": np.stack([*where, image[where]], axis=1).astype(np.float32)}


def boxes(request: TileRequest) -> Arrays:
    """Find the boxes of what is brighter than 250, in an order of its own."""
    image = np.asarray(request.inputs["image"])
    labels, _ = ndimage.label(image > 250)  # as it says
    found = [
        (y.start, x.start, y.stop, x.stop, np.count_nonzero(labels[y, x] == number))
        for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
    ]
    return {"found": np.array(found[::-1], np.float32).reshape(-1, len(BOX_2D))}


def means(request: TileRequest) -> Arrays:
    """Give the mean of the tile, with its halo."""
    return {"found": np.array([[request.inputs["image"].mean()]], np.float32)}


def difference(request: TileRequest) -> Arrays:
    """Give the first image less the second, where there is one."""
    image = np.asarray(request.inputs["image"], np.uint8)
    dark = np.asarray(request.inputs.get("dark", np.zeros_like(image)), np.uint8)
    return {"out": image - dark}


def masked(request: TileRequest) -> Arrays:
    """Give the image where there are labels."""
    cells = np.asarray(request.inputs["cells"], np.uint32)
    return {"out": np.where(cells > 0, request.inputs["image"], 0)}


MODELS = {
    ("copy", VERSION): copy,
    ("copy-2d", VERSION): copy,
    ("blended", VERSION): copy,
    ("components", VERSION): components,
    ("components-2d", VERSION): components,
    ("bright", VERSION): bright,
    ("bright-2d", VERSION): bright,
    ("boxes-2d", VERSION): boxes,
    ("means", VERSION): means,
    ("difference", VERSION): difference,
    ("masked", VERSION): masked,
}
