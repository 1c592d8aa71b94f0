"""What a model gave, compared with what its card promises."""

from typing import Any

from numpy.typing import NDArray

from hmz_backend.planning import Block
from hmz_backend.stitching.cropping import result_region
from napari_hmz.errors import EngineFailed
from napari_hmz.schema import OutputSpec, extents


def check_result(result: NDArray[Any], spec: OutputSpec, block: Block) -> None:
    """Refuse a result that has not the axes and extents of its tile.

    Raises
    ------
    EngineFailed
        If it has not.
    """
    sizes = extents(result_region(spec, block))
    fits = result.ndim == len(spec.axes) and all(
        extent == sizes.get(axis, extent)
        for axis, extent in zip(spec.axes, result.shape, strict=True)
    )
    if not fits:
        raise EngineFailed(
            f"Output {spec.name} has the extents {list(result.shape)} for a tile of {sizes}."
        )
