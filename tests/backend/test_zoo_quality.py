"""The figures on model cards: object matching, Dice and PSNR."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hmz_backend.zoo.quality import (
    Counts,
    average_precision,
    dice,
    intersection_over_union,
    match_counts,
    psnr_db,
)

LabelImage = npt.NDArray[np.uint32]

label_images = arrays(
    np.uint32, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.integers(0, 4)
)


def two_squares() -> LabelImage:
    image = np.zeros((10, 10), dtype=np.uint32)
    image[0:4, 0:4] = 3
    image[6:10, 6:10] = 7
    return image


def test_a_merged_pair_counts_as_one_wrong_and_two_missed() -> None:
    truth = np.zeros((4, 8), dtype=np.uint32)
    truth[:, :4], truth[:, 4:] = 1, 2
    assert match_counts(truth, np.ones_like(truth), 0.51) == Counts(0, 1, 2)


def test_iou_at_the_threshold_is_a_match() -> None:
    truth = np.zeros((1, 4), dtype=np.uint32)
    truth[0, :2] = 1
    assert match_counts(truth, np.ones_like(truth), 0.5) == Counts(1, 0, 0)


def test_each_object_is_matched_once() -> None:
    truth = np.ones((1, 4), dtype=np.uint32)
    found = np.array([[1, 1, 2, 2]], dtype=np.uint32)
    assert match_counts(truth, found, 0.5) == Counts(1, 1, 0)


def test_missed_and_invented_objects_lower_the_precision() -> None:
    truth = two_squares()
    found = truth.copy()
    found[found == 7] = 0
    found[0, 9] = 9
    assert match_counts(truth, found) == Counts(1, 1, 1)
    assert average_precision(truth, found) == pytest.approx(1 / 3)


def test_overlap_of_shifted_squares() -> None:
    truth = two_squares()
    shifted = np.roll(truth, 1, axis=1) * (truth == 3)
    ratio = intersection_over_union(truth, shifted)
    assert ratio.shape == (2, 1)
    assert ratio[:, 0] == pytest.approx([12 / 16, 0.0])


def test_counts_of_images_are_pooled() -> None:
    total = Counts(3, 1, 0) + Counts(1, 0, 3)
    assert total == Counts(4, 1, 3)
    assert total.average_precision == pytest.approx(0.5)


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    empty = np.zeros((3, 3), dtype=np.uint32)
    assert average_precision(empty, empty) == 1.0
    assert dice(empty, empty) == 1.0


def test_dice_of_a_half_found_object() -> None:
    truth = np.zeros((2, 4), dtype=np.uint32)
    truth[0] = 5
    found = np.zeros_like(truth)
    found[0, :2] = 1
    assert dice(truth, found) == pytest.approx(2 * 2 / 6)


@given(label_images)
def test_an_image_matches_itself(labels: LabelImage) -> None:
    objects = len(set(labels.ravel().tolist()) - {0})
    assert match_counts(labels, labels) == Counts(objects, 0, 0)
    assert dice(labels, labels) == 1.0


@given(label_images, st.permutations([1, 2, 3, 4]))
def test_the_numbers_of_labels_do_not_matter(labels: LabelImage, order: list[int]) -> None:
    renamed = np.array([0, *order], dtype=np.uint32)[labels]
    assert match_counts(labels, renamed).average_precision == 1.0


@given(st.data())
def test_swapping_truth_and_found_swaps_the_errors(draw: st.DataObject) -> None:
    shape = draw.draw(array_shapes(min_dims=2, max_dims=2, max_side=6))
    elements = st.integers(0, 4)
    truth, found = (draw.draw(arrays(np.uint32, shape, elements=elements)) for _ in range(2))
    one, other = match_counts(truth, found), match_counts(found, truth)
    assert (one.true_positives, one.false_positives) == (
        other.true_positives,
        other.false_negatives,
    )
    assert dice(truth, found) == dice(found, truth)


def test_psnr_of_a_known_error() -> None:
    clean = np.linspace(0, 1, 100, dtype=np.float32)
    assert psnr_db(clean, clean + np.float32(0.1)) == pytest.approx(20.0, abs=1e-4)
    assert psnr_db(clean, clean + np.float32(0.1), value_range=10.0) == pytest.approx(
        40.0, abs=1e-4
    )
    assert psnr_db(clean, clean) == float("inf")


def test_psnr_needs_a_range() -> None:
    flat = np.ones((2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="positive"):
        psnr_db(flat, flat)


def test_different_shapes_are_refused() -> None:
    one, other = np.zeros((2, 3), dtype=np.uint32), np.zeros((3, 2), dtype=np.uint32)
    for measure in (average_precision, dice):
        with pytest.raises(ValueError, match="different shape"):
            measure(one, other)
    with pytest.raises(ValueError, match="different shape"):
        psnr_db(one.astype(np.float32), other.astype(np.float32))
