"""Which images a folder holds: told by names, in their order, each once."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_hmz.errors import SourceUnreadable
from napari_hmz.sources.in_folder import images_in, stem


def test_a_folder_gives_its_images_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.ome.TIF", "a.h5", "notes.txt", "._a.tif", "c.zarr.zip"):
        (tmp_path / name).touch()
    zarr.create_array(tmp_path / "d", data=np.zeros((2, 2), "u1"))
    (tmp_path / "folder.tif").mkdir()
    found = images_in([tmp_path, tmp_path / "a.h5", tmp_path / "gone.tif"])
    assert [image.name for image in found] == ["a.h5", "b.ome.TIF", "c.zarr.zip", "d", "gone.tif"]


def test_a_zarr_is_an_image_and_no_folder_of_them(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "i.zarr", data=np.zeros((2, 2), "u1"))
    assert images_in([tmp_path / "i.zarr"]) == (tmp_path / "i.zarr",)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceUnreadable, match="no image in the folder"):
        images_in([tmp_path])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.ome.tif", "a"),
        ("a.1.TIFF", "a.1"),
        ("a.ome.zarr", "a"),
        ("a.ome.zarr.zip", "a"),
        ("plate.3", "plate.3"),
        (".tif", ".tif"),
    ],
)
def test_what_tells_the_format_is_no_part_of_the_name(name: str, wanted: str) -> None:
    assert stem(Path("folder") / name) == wanted
