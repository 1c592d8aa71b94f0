"""Turn the two fields of a nuclei network into instance labels, in any number of axes.

The fields are foreground (0..1) and depth (0..1, 1 in the middle of an object, 0 at its edge).
This file has no imports of its own project, since it travels inside model packages; it runs with
numpy 1.26 and 2.x. Everything in it is a pure function.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int32]


def seeds(depth: FloatArray, prominence: float, lowest: float) -> LabelArray:
    """Give each peak of `depth` a number where it is at least `lowest` high and stands out.

    To stand out is to rise by `prominence` above every pass to a higher peak.
    """
    surface = ndimage.gaussian_filter(depth.astype(np.float32), 1.0)
    floor = np.maximum(surface - np.float32(prominence), 0)
    flattened = reconstruction(floor, surface, method="dilation").astype(np.float32)
    summits = (surface > flattened) & (surface >= np.float32(lowest))
    touching = ndimage.generate_binary_structure(depth.ndim, depth.ndim)
    labels, _ = ndimage.label(summits, structure=touching)
    return np.asarray(labels, dtype=np.int32)


def without_small(labels: LabelArray, minimum_size: float) -> LabelArray:
    """Drop objects of fewer than `minimum_size` pixels and number the rest 1…N in raster order."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= minimum_size
    keep[0] = False
    kept = np.where(keep[labels], labels, 0)
    present, first = np.unique(kept, return_index=True)
    order = present[np.argsort(first)]
    numbers = np.zeros(sizes.size, dtype=np.int32)
    order = order[order > 0]
    numbers[order] = np.arange(1, order.size + 1)
    return np.asarray(numbers[kept], dtype=np.int32)


def ball_size(diameter: float, dimensions: int) -> float:
    """Give the area of a disc (2 dimensions) or the volume of a ball (3) in pixels."""
    return (np.pi / 4 if dimensions == 2 else np.pi / 6) * diameter**dimensions


def decode(
    fields: FloatArray,
    *,
    foreground_threshold: float = 0.5,
    seed_prominence: float = 0.25,
    seed_depth: float = 0.3,
    minimum_size: float = 30.0,
    smallest_share: float = 0.0,
    diameter: float = 0.0,
) -> LabelArray:
    """Give instance labels (spatial axes) from fields (field, spatial axes): foreground, depth.

    `minimum_size` counts pixels (or voxels) of the grid that the fields lie on. Dropped as well is
    what has less than `smallest_share` of the size of a disc (ball) of the given `diameter`.
    """
    smallest = max(minimum_size, smallest_share * ball_size(diameter, fields.ndim - 1))
    foreground = fields[0] >= foreground_threshold
    markers = seeds(np.where(foreground, fields[1], 0), seed_prominence, seed_depth)
    markers[~foreground] = 0
    labels = watershed(-fields[1], markers=markers, mask=foreground)
    return without_small(np.asarray(labels, dtype=np.int32), smallest)


def resize(array: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Resample an array linearly to `shape`, in register, smoothed first where it shrinks."""
    if array.shape == shape:
        return array
    factors = [old / new for old, new in zip(array.shape, shape, strict=True)]
    sigmas = [max(0.0, (factor - 1) / 2) for factor in factors]
    smooth = ndimage.gaussian_filter(array, sigmas) if any(sigmas) else array
    matrix = np.array(factors)
    resampled = ndimage.affine_transform(
        smooth, matrix, offset=0.5 * (matrix - 1), output_shape=shape, order=1, mode="nearest"
    )
    return np.asarray(resampled, dtype=np.float32)


def predict_padded(
    image: FloatArray,
    predict: Callable[[FloatArray], FloatArray],
    multiple_px: int,
    smallest_px: int,
) -> FloatArray:
    """Call `predict` (spatial -> field, spatial) on the padded image; crop back."""
    sizes = [max(smallest_px, -(-size // multiple_px) * multiple_px) for size in image.shape]
    pads = [(0, new - old) for old, new in zip(image.shape, sizes, strict=True)]
    fields = predict(np.pad(image, pads, mode="symmetric"))
    return fields[(slice(None), *(slice(0, size) for size in image.shape))]


def segment(
    image: FloatArray,
    predict: Callable[[FloatArray], FloatArray],
    *,
    zoom: tuple[float, ...],
    multiple_px: int = 16,
    smallest_px: int = 64,
    parameters: Mapping[str, float] | None = None,
) -> LabelArray:
    """Segment a normalised image: resample by `zoom` per axis, predict, resample back, decode."""
    shape = tuple(
        max(1, round(size * factor)) for size, factor in zip(image.shape, zoom, strict=True)
    )
    fields = predict_padded(resize(image, shape), predict, multiple_px, smallest_px)
    back = np.stack([resize(field, image.shape) for field in fields])
    return decode(back, **dict(parameters or {}))


def label_nuclei(**arguments: float) -> Callable[[FloatArray], npt.NDArray[np.uint32]]:
    """Make the processing step of the packages: fields (b, 2, spatial) -> labels, same shape.

    The labels are in channel 0 and channel 1 is empty: bioimage.io wants a step to keep the shape.
    `arguments` are those of `decode`.
    """

    def step(fields: FloatArray) -> npt.NDArray[np.uint32]:
        labels = np.zeros(fields.shape, dtype=np.uint32)
        for place, item in enumerate(fields):
            labels[place, 0] = decode(item, **arguments)
        return labels

    return step
