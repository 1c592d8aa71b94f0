"""The data of the trainings; the same readers measure the packages (`hmz-backend zoo quality`)."""

import argparse
from pathlib import Path

import numpy as np

from hmz_backend.zoo.datasets import (
    Sample,
    Split,
    confocal_volume,
    digest_of,
    fetch,
    labels_of_colours,
    nuclei_2d,
    tomogram,
)

__all__ = [
    "Sample",
    "Split",
    "confocal_volume",
    "digest_of",
    "fetch",
    "labels_of_colours",
    "nuclei_2d",
    "tomogram",
]


def main() -> None:
    """Fetch everything and say how many images and objects each split holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    root = fetch(parser.parse_args().data)
    splits: tuple[Split, ...] = ("training", "validation", "test")
    for split in splits:
        samples = list(nuclei_2d(root, split))
        objects = sum(len(np.unique(sample.labels)) - 1 for sample in samples)
        print(f"{split}: {len(samples)} images, {objects} nuclei")


if __name__ == "__main__":
    main()
