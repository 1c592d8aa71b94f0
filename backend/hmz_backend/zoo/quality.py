"""Measures of quality on model cards: AP of instances, Dice of foregrounds, PSNR of images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

Labels = npt.NDArray[np.integer]
Image = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Counts:
    """How many objects were found rightly, found wrongly, and missed; images add up."""

    true_positives: int
    false_positives: int
    false_negatives: int

    def __add__(self, other: "Counts") -> "Counts":
        """Pool the counts of two images."""
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def average_precision(self) -> float:
        """Give TP / (TP + FP + FN); 1 where there is nothing to find and nothing was found."""
        total = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / total if total else 1.0


def _same_shape(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"arrays of different shape cannot be compared: {first.shape} and {second.shape}"
        )


def intersection_over_union(truth: Labels, predicted: Labels) -> npt.NDArray[np.float64]:
    """Give the IoU (object of `truth`, object of `predicted`) of all pairs, in label order.

    Both are labels (any axes, 0 = background) of one shape, else ValueError. Memory grows with
    the number of pairs, not with the values of the labels.
    """
    _same_shape(truth, predicted)
    true_values, true_index = np.unique(truth, return_inverse=True)
    found_values, found_index = np.unique(predicted, return_inverse=True)
    ones = np.ones(truth.size, dtype=np.int64)
    pairs = (true_index.ravel(), found_index.ravel())
    shape = (true_values.size, found_values.size)
    overlap = sparse.coo_matrix((ones, pairs), shape=shape).toarray().astype(np.float64)
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0, keepdims=True) - overlap
    ratio = overlap / np.maximum(union, 1.0)
    return np.asarray(ratio[true_values != 0][:, found_values != 0])


def match_counts(truth: Labels, predicted: Labels, threshold: float = 0.5) -> Counts:
    """Match objects one to one where their IoU is at least `threshold`, as many pairs as possible.

    Both are labels (any axes, 0 = background) of one shape, else ValueError.
    """
    ratio = intersection_over_union(truth, predicted)
    good = ratio >= threshold
    rows, columns = optimize.linear_sum_assignment(good.astype(np.float64), maximize=True)
    matched = int(good[rows, columns].sum())
    return Counts(matched, ratio.shape[1] - matched, ratio.shape[0] - matched)


def average_precision(truth: Labels, predicted: Labels, threshold: float = 0.5) -> float:
    """Give TP / (TP + FP + FN) at the IoU `threshold`.

    Both are labels (any axes, 0 = background) of one shape, else ValueError.
    """
    return match_counts(truth, predicted, threshold).average_precision


def dice(truth: Labels, predicted: Labels) -> float:
    """Give 2|A∩B| / (|A|+|B|) of the two foregrounds (labels ≠ 0); 1 where both are empty.

    Labels (any axes) of one shape, else ValueError.
    """
    _same_shape(truth, predicted)
    size = int(np.count_nonzero(truth)) + int(np.count_nonzero(predicted))
    shared = int(np.count_nonzero((truth != 0) & (predicted != 0)))
    return 2 * shared / size if size else 1.0


def psnr_db(clean: Image, restored: Image, value_range: float | None = None) -> float:
    """Give the peak signal-to-noise ratio in decibel; infinite where both are equal.

    `value_range` is the span of values that counts as peak (that of `clean` where not given).
    Images (any axes) of one shape, else ValueError; also where the range is not positive.
    """
    _same_shape(clean, restored)
    span = float(np.ptp(clean)) if value_range is None else value_range
    if not span > 0:
        raise ValueError("the range of values must be positive")
    error = float(np.mean((clean.astype(np.float64) - restored.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(span**2 / error))
