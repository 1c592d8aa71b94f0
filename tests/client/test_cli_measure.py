"""`hmz measure`: from files to a table."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from typer.testing import CliRunner

from napari_hmz.cli import app
from napari_hmz.errors import AxesMismatch, OutputExists

LABELS = np.zeros((5, 8, 10), np.uint16)
LABELS[1, 2:4, 3:6] = 5
IMAGE = np.arange(LABELS.size, dtype=np.float32).reshape(LABELS.shape)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    zarr.create_array(tmp_path / "labels.zarr", data=LABELS)
    tifffile.imwrite(tmp_path / "image.tif", IMAGE, photometric="minisblack")
    return str(tmp_path / "labels.zarr"), str(tmp_path / "image.tif")


def call(*words: object) -> str:
    done = CliRunner().invoke(app, ["measure", *map(str, words)], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_the_table_goes_to_standard_output(files: tuple[str, str]) -> None:
    (row,) = csv.DictReader(io.StringIO(call(*files, "--axes", "zyx")))
    assert row["label"] == "5"
    assert row["voxels"] == "6"
    assert float(row["intensity_mean"]) == IMAGE[LABELS == 5].mean()


def test_a_file_is_written_and_not_replaced_unasked(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    words = (files[0], "--csv", out, "--voxel-size", "z=2,y=1,x=1")
    assert call(*words) == f"1 objects: {out}\n"
    assert "12.0" in out.read_text()
    with pytest.raises(OutputExists):
        call(*words)
    call(*words, "--overwrite")


def test_another_image_is_refused(files: tuple[str, str], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "other.tif", IMAGE[:, :5], photometric="minisblack")
    with pytest.raises(AxesMismatch, match="along y"):
        call(files[0], tmp_path / "other.tif", "--axes", "zyx")


def test_a_channel_of_the_image_can_be_measured(files: tuple[str, str], tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "two.zarr", data=np.stack([IMAGE, 2 * IMAGE]))
    words = (tmp_path / "two.zarr", "--axes", "czyx", "--channel", 1)
    (row,) = csv.DictReader(io.StringIO(call(files[0], *words)))
    assert float(row["intensity_max"]) == 2 * IMAGE[LABELS == 5].max()
