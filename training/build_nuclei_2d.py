"""Build the package `nuclei-2d` from its trained network, and measure it."""

import numpy as np

from hmz_backend.zoo.datasets import Sample, nuclei_2d
from hmz_backend.zoo.draft import Draft
from training.nuclei_package import Nuclei, draft
from training.packaging import (
    MNFINDER,
    Ingredients,
    Picture,
    card_text,
    ingredients,
    outlined,
    ship_measured,
    side_by_side,
    stretched,
    words,
)

NUCLEI = Nuclei(
    axes="yx",
    minimum_px=64,
    step_px=16,
    reference_px=30.0,
    diameter_px=30.0,
    minimum_size=30,
    smallest_share=0.0,
    seed_prominence=0.25,
    seed_depth=0.3,
    tile={
        "preferred": {"y": 640, "x": 640},
        "halo": {"y": 64, "x": 64},
        "halo_rule": {"parameter": "diameter", "factor": 2.1},
        "memory_bytes_per_voxel": 400,
        "seconds_per_megavoxel": 1.6,
        "skip_empty": True,
    },
)
TRAINING_DATA = (
    "Fluorescent nuclei in the plane: mnfinder 1.2.3, training split (30 images, 2,354 nuclei of "
    "cultured human cells, mostly RPE1 and U2OS), MIT licence, some with drawn cytoplasm added. "
    "Not seen: HFF and MCC13 cells (they are in the test split only), tissue, histology stains, "
    "phase contrast."
)
PATCH_PX = 160


def patch(sample: Sample) -> Sample:
    """Cut the corner of an image that is tested and shown."""
    window = slice(0, PATCH_PX)
    image, labels = sample.image[window, window], sample.labels[window, window]
    return Sample(sample.name, sample.digest, image, labels)


def cover(sample: Sample) -> Picture:
    """Paint an image, bare and with the outlines of its nuclei as annotated."""
    image = stretched(sample.image) ** 0.7
    return side_by_side(image, outlined(image, sample.labels))


def compose(given: Ingredients) -> Draft:
    """Compose the package."""
    sample = patch(next(nuclei_2d(given.data, "test")))
    return draft(
        NUCLEI,
        words=words(
            "nuclei-2d",
            "Nuclei in fluorescence images",
            "Finds every nucleus in fluorescence images; volumes are done plane by plane.",
            tags=["nuclei", "fluorescence", "instance-segmentation", "unet", "2d"],
            cite=[MNFINDER],
        ),
        weights=given.networks / "nuclei-2d.onnx",
        test_input=sample.image.astype(np.uint16)[None, None],
        readme=card_text("nuclei-2d"),
        cover=cover(sample),
        training_data=TRAINING_DATA,
    )


def main() -> None:
    """Build, measure, and put the figures on the card."""
    given = ingredients(__doc__)
    ship_measured("nuclei-2d", compose(given), given.data)


if __name__ == "__main__":
    main()
