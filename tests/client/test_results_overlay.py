from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_hmz.results.overlay import overlay, write_overlay


def plane() -> tuple[
    np.ndarray[tuple[int, int], np.dtype[np.uint16]],
    np.ndarray[tuple[int, int], np.dtype[np.uint32]],
]:
    image = np.linspace(0, 1000, 600 * 600).reshape(600, 600).astype(np.uint16)
    labels = np.zeros((600, 600), np.uint32)
    labels[100:200, 100:200] = 1
    labels[200:300, 100:200] = 2
    return image, labels


def test_background_is_grey_and_outlines_are_coloured() -> None:
    picture = overlay(*plane()).astype(int)
    assert picture.shape == (600, 600, 3)
    is_grey = picture.max(axis=2) == picture.min(axis=2)
    assert is_grey[400:].all()
    assert not is_grey[100:300, 100].any()
    assert not is_grey[150, 150]
    assert (picture[599, 590:] == 255).all()
    assert (picture[0, :50] == 0).all()


def test_neighbouring_labels_have_distant_colours() -> None:
    picture = overlay(*plane()).astype(int)
    assert np.abs(picture[199, 150] - picture[200, 150]).sum() > 150


def test_a_volume_shows_its_middle_plane_and_its_projection() -> None:
    image = np.zeros((5, 520, 520), np.uint8)
    image[0, 10:20, 10:20] = 200
    labels = np.zeros(image.shape, np.uint32)
    labels[2, 300:400, 300:400] = 7
    labels[4, 100:150, 100:150] = 9
    picture = overlay(image, labels)
    assert picture.shape[0] == 520
    assert picture.shape[1] > 1040
    left, right = picture[:, :520], picture[:, -520:]
    assert left[300, 300].any()
    assert not left[100, 100].any()
    assert right[300, 300].any()
    assert right[100, 100].any()


def test_small_images_are_enlarged_by_whole_factors() -> None:
    picture = overlay(np.zeros((50, 60)), np.ones((50, 60), int))
    assert picture.shape == (450, 540, 3)


@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_a_flat_image_is_no_error(value: float) -> None:
    picture = overlay(np.full((600, 600), value), np.zeros((600, 600), int))
    assert (picture == picture[0, 0]).all()


def test_the_picture_is_written_as_png(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", *plane())
    with Image.open(tmp_path / "o.png") as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), overlay(*plane()))


@pytest.mark.parametrize(
    ("image", "labels"), [((4, 4), (4, 5)), ((4,), (4,)), ((2, 2, 4, 4), (2, 2, 4, 4))]
)
def test_shapes_that_do_not_fit_are_refused(
    image: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="planes or volumes"):
        overlay(np.zeros(image), np.zeros(labels, int))
