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


def _image(axes: tuple[str, ...], stitch: StitchSpec) -> OutputSpec:
    return OutputSpec(name="out", kind="image", axes=axes, dtype="uint8", stitch=stitch)


LEVEL = ParameterSpec(type="number", default=230, minimum=0, maximum=255)
CROP, BLEND = StitchSpec(mode="crop"), StitchSpec(mode="blend")
CARDS = (
    _card("copy", SPACE, _image(SPACE, CROP), 24),
    _card("copy-2d", ("y", "x"), _image(("y", "x"), CROP), 24),
    _card("blended", SPACE, _image(SPACE, BLEND), 24),
    _card("components", SPACE, _labels(SPACE), 24, {"level": LEVEL}),
    _card("components-2d", ("y", "x"), _labels(("y", "x")), 24, {"level": LEVEL}),
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


MODELS = {
    ("copy", VERSION): copy,
    ("copy-2d", VERSION): copy,
    ("blended", VERSION): copy,
    ("components", VERSION): components,
    ("components-2d", VERSION): components,
}
