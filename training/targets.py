"""Turn instance labels into what the networks learn: a normalised depth inside each object."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve


def object_depth(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Give the depth (0..1, peak 1) in one object's mask (any axes): Poisson's equation solved.

    Unlike the distance to the edge, it has a single peak in a lobed or dented object, so it does
    not invite a watershed to split it. For an ellipse or ellipsoid it is 1 - r², with r the
    elliptic radius. Objects cut by the border of the domain keep their depth there.
    """
    inside = np.flatnonzero(mask)
    index = np.full(mask.shape, -1, dtype=np.int64)
    index.flat[inside] = np.arange(inside.size)
    diagonal = np.zeros(inside.size)
    rows, columns = [], []
    for axis in range(mask.ndim):
        for shift in (-1, 1):
            neighbour = np.roll(index, shift, axis)
            edge: list[slice | int] = [slice(None)] * mask.ndim
            edge[axis] = -1 if shift == -1 else 0
            neighbour[tuple(edge)] = -2
            chosen = neighbour.flat[inside]
            diagonal += chosen != -2
            linked = chosen >= 0
            rows.append(np.flatnonzero(linked))
            columns.append(chosen[linked])
    pairs = (np.concatenate(rows), np.concatenate(columns))
    links = sparse.coo_matrix((np.ones(pairs[0].size), pairs), shape=(inside.size, inside.size))
    system = sparse.diags(np.maximum(diagonal, 1)) - links
    depth = np.asarray(spsolve(system.tocsc(), np.ones(inside.size)))
    field = np.zeros(mask.shape, dtype=np.float32)
    field.flat[inside] = depth / depth.max()
    return field


def depth_field(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Give the depth (0..1) of every object of a label image (any axes), 0 in the background."""
    field = np.zeros(labels.shape, dtype=np.float32)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        grown = tuple(
            slice(max(0, side.start - 1), min(size, side.stop + 1))
            for side, size in zip(box, labels.shape, strict=True)
        )
        mask = labels[grown] == number
        field[grown][mask] = object_depth(mask)[mask]
    return field


def clean(labels: npt.NDArray[np.int32], smallest_px: int) -> npt.NDArray[np.int32]:
    """Split every object into its connected parts and drop parts below `smallest_px` pixels."""
    result = np.zeros_like(labels)
    count = 0
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        parts, amount = ndimage.label(labels[box] == number)
        for part in range(1, amount + 1):
            mask = parts == part
            if mask.sum() >= smallest_px:
                count += 1
                result[box][mask] = count
    return result
