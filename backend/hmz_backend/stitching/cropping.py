"""Cropping: of a tile's result only the block's own part is kept."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hmz.schema import AxisName, OutputSpec, Region


class Placed(Protocol):
    """A block as stitching sees it: where it lies in the volume."""

    @property
    def core(self) -> Region:
        """What the block's result covers."""

    @property
    def tile(self) -> Region:
        """What the model saw."""


def crop(result: NDArray[Any], spec: OutputSpec, block: Placed) -> NDArray[Any]:
    """Return the part of a tile's result that belongs to the block.

    ```
    tile    ├──────────────────────────┤
    result     ├────────────────────┤       margin_px shorter on each side
    core           ├──────────┤             what is returned
    ```

    Parameters
    ----------
    result
        The model's output, with the axes of `spec`.
    spec
        The model's output; axes that the block does not have are taken whole.
    block
        Where it was computed.
    """
    covered = result_region(spec, block)
    wanted = {axis: block.core[axis] for axis in covered}
    return cut_region(result, spec.axes, covered, wanted)


def is_cropped(result: NDArray[Any], spec: OutputSpec, block: Placed) -> bool:
    """Return whether a result has the extents of the block already: nothing is to be cut off."""
    return result.ndim == len(spec.axes) and all(
        axis not in block.core or axis == "c" or extent == block.core[axis][1] - block.core[axis][0]
        for axis, extent in zip(spec.axes, result.shape, strict=True)
    )


def result_region(spec: OutputSpec, block: Placed) -> Region:
    """Return what a tile's result covers in the volume: the tile, less the model's margin.

    Channels are left out: they are the model's own.
    """
    return {
        axis: (
            block.tile[axis][0] + spec.margin_px.get(axis, 0),
            block.tile[axis][1] - spec.margin_px.get(axis, 0),
        )
        for axis in spec.axes
        if axis != "c"
    }


def cut_region(
    array: NDArray[Any],
    axes: Sequence[AxisName],
    covered: Mapping[AxisName, tuple[int, int]],
    wanted: Mapping[AxisName, tuple[int, int]],
) -> NDArray[Any]:
    """Return the part `wanted` of an array that covers the region `covered`, as a view.

    Axes that neither names are taken whole.
    """
    index = tuple(
        slice(wanted[axis][0] - covered[axis][0], wanted[axis][1] - covered[axis][0])
        if axis in covered
        else slice(None)
        for axis in axes
    )
    return array[index]


def arrange(
    array: NDArray[Any], axes: Sequence[AxisName], wanted: Sequence[AxisName]
) -> NDArray[Any]:
    """Give an array the axes of an output: iterated ones come back, a single channel goes.

    Parameters
    ----------
    array
        With `axes`; those that are not wanted are one long.
    axes
        Of `array`, outermost first.
    wanted
        The axes of the result; those that `axes` lacks become one long.
    """
    dropped = tuple(number for number, axis in enumerate(axes) if axis not in wanted)
    kept = [axis for axis in axes if axis in wanted]
    own = array.squeeze(dropped).transpose([kept.index(axis) for axis in wanted if axis in kept])
    return np.expand_dims(own, tuple(n for n, axis in enumerate(wanted) if axis not in kept))
