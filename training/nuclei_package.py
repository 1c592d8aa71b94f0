"""What the packages `nuclei-2d` and `nuclei-3d` have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hmz_backend.zoo.draft import Draft, Section, custom_step, same_size, space_axis
from training.packaging import Picture

STEP = Path(__file__).with_name("decode_nuclei.py")
OPSET = 20
NUCLEUS = {"of": "nuclei", "typical_um": 12, "smallest_um": 4, "largest_um": 30}
"""From yeast and lymphocytes to flat cells in culture: outside, somebody has mistyped."""


@dataclass(frozen=True)
class Nuclei:
    """Where the two packages differ.

    Parameters
    ----------
    axes
        Spatial axes of the network.
    minimum_px, step_px
        The network's size rule.
    reference_px
        The nucleus diameter that the network works at.
    diameter_px
        The default of the parameter.
    minimum_size
        Default of the smallest object, in pixels or voxels.
    smallest_share
        Share of a disc or ball of the given diameter below which an object is dropped.
    seed_prominence, seed_depth
        Defaults of the two rules for seeds.
    tile
        `config.hmz.tile`.
    """

    axes: str
    minimum_px: int
    step_px: int
    reference_px: float
    diameter_px: float
    minimum_size: int
    smallest_share: float
    seed_prominence: float
    seed_depth: float
    tile: Section


def draft(
    nuclei: Nuclei,
    *,
    words: Section,
    weights: Path,
    test_input: npt.NDArray[Any],
    readme: str,
    cover: Picture,
    training_data: str,
) -> Draft:
    """Compose a package whose network gives the fields foreground and depth."""
    code = STEP.read_bytes()
    return Draft(
        words=words,
        image=_image(nuclei),
        result=_labels(nuclei, code),
        weights=weights.read_bytes(),
        opset=OPSET,
        hmz=_extension(nuclei, training_data),
        test_input=test_input,
        readme=readme,
        cover=cover,
        steps={STEP.name: code},
        # Labels are whole numbers; a few voxels at borders may fall to the other side.
        tolerance={"mismatched_elements_per_million": 1000},
    )


def _image(nuclei: Nuclei) -> Section:
    size = {"min": nuclei.minimum_px, "step": nuclei.step_px}
    everything = ["channel", *nuclei.axes]
    return {
        "id": "image",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["nuclei"]},
            *(space_axis(axis, size=dict(size)) for axis in nuclei.axes),
        ],
        "data": {"type": "float32"},
        "pad": {"mode": "symmetric"},
        "preprocessing": [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {
                "id": "scale_range",
                "kwargs": {"axes": everything, "min_percentile": 1.0, "max_percentile": 99.8},
            },
            {"id": "clip", "kwargs": {"min": -0.5, "max": 3.0}},
        ],
    }


def _labels(nuclei: Nuclei, code: bytes) -> Section:
    defaults: Section = {
        "foreground_threshold": 0.5,
        "seed_prominence": nuclei.seed_prominence,
        "seed_depth": nuclei.seed_depth,
        "minimum_size": nuclei.minimum_size,
        "smallest_share": nuclei.smallest_share,
        "diameter": nuclei.reference_px,
    }
    return {
        "id": "labels",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": ["labels", "empty"]},
            *(same_size(axis) for axis in nuclei.axes),
        ],
        "data": {"type": "uint32"},
        "postprocessing": [
            custom_step(STEP.name, code, "label_nuclei", defaults),
            {"id": "ensure_dtype", "kwargs": {"dtype": "uint32"}},
        ],
    }


def _extension(nuclei: Nuclei, training_data: str) -> Section:
    steered = (
        "foreground_threshold",
        "minimum_size",
        "seed_prominence",
        "seed_depth",
        "diameter",
    )
    return {
        "version": 1,
        "task": "instance-segmentation",
        "inputs": {"image": {"kind": "image", "channels": ["nuclei"]}},
        "outputs": {
            "labels": {
                "kind": "instance-labels",
                "dtype": "uint32",
                "stitch": {"mode": "merge-labels", "rule": "agreement", "threshold": 0.5},
            }
        },
        "normalise": {"scope": "volume", "measures": ["percentile 1", "percentile 99.8"]},
        "parameters": _parameters(nuclei),
        "bindings": {name: {"tensor": "labels", "step": 0, "kwarg": name} for name in steered},
        "rescale": {
            "parameter": "diameter",
            "reference": nuclei.reference_px,
            "axes": list(nuclei.axes),
        },
        "tile": nuclei.tile,
        # bioimage.io itself knows no rescaling: its test is run at the network's own scale.
        "test": {"parameters": {"diameter": nuclei.reference_px}},
        "training_data": training_data,
    }


def _parameters(nuclei: Nuclei) -> Section:
    unit = {2: "px", 3: "voxels"}[len(nuclei.axes)]
    return {
        "diameter": {
            "type": "number",
            "title": "Nucleus diameter",
            "description": "Typical diameter of a nucleus. The image is resampled so that it "
            "becomes the size that the network knows best.",
            "default": nuclei.diameter_px,
            "minimum": 5,
            "maximum": 300,
            "scale": "log",
            "unit": unit,
            "physical": NUCLEUS,
        },
        "foreground_threshold": {
            "type": "number",
            "title": "Foreground threshold",
            "description": "Lower takes more of a nucleus' faint rim, higher less.",
            "default": 0.5,
            "minimum": 0.05,
            "maximum": 0.95,
            "step": 0.05,
        },
        "minimum_size": {
            "type": "integer",
            "title": "Smallest object",
            "description": "Objects of fewer pixels (voxels) are dropped.",
            "default": nuclei.minimum_size,
            "minimum": 0,
            "maximum": 1_000_000,
            "unit": unit,
        },
        "seed_prominence": {
            "type": "number",
            "title": "Splitting",
            "description": "How much a middle must stand out to become a nucleus of its own: "
            "lower splits more, higher less.",
            "default": nuclei.seed_prominence,
            "minimum": 0.01,
            "maximum": 0.5,
            "step": 0.01,
            "advanced": True,
        },
        "seed_depth": {
            "type": "number",
            "title": "Least certainty",
            "description": "How sure the network must be of a nucleus' middle.",
            "default": nuclei.seed_depth,
            "minimum": 0.05,
            "maximum": 0.9,
            "step": 0.05,
            "advanced": True,
        },
    }
