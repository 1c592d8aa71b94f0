import numpy as np
import pytest

from napari_hmz.sources.fingerprint import of_array


@pytest.fixture
def array() -> "np.ndarray[tuple[int, int], np.dtype[np.uint16]]":
    return np.random.default_rng(0).integers(0, 4096, (3000, 2000), np.uint16)  # several parts


def test_the_same_values_have_the_same_fingerprint(
    array: "np.ndarray[tuple[int, int], np.dtype[np.uint16]]",
) -> None:
    assert of_array(array) == of_array(array.copy()) == of_array(np.asfortranarray(array))


@pytest.mark.parametrize("place", [(0, 0), (1500, 7), (2999, 1999)])
def test_another_voxel_changes_it(
    array: "np.ndarray[tuple[int, int], np.dtype[np.uint16]]", place: tuple[int, int]
) -> None:
    before = of_array(array)
    array[place] += 1
    assert of_array(array) != before


def test_parts_in_another_order_are_another_image(
    array: "np.ndarray[tuple[int, int], np.dtype[np.uint16]]",
) -> None:
    assert of_array(array[::-1]) != of_array(array)


def test_shape_and_type_count() -> None:
    zeros = np.zeros((4, 6), np.uint16)
    prints = {of_array(a) for a in (zeros, zeros.reshape(6, 4), zeros.astype(np.int16))}
    assert len(prints) == 3
