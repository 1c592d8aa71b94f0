"""What a run will take: memory, time and bytes, before it starts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from napari_hmz.schema import (
    AxisName,
    ModelCard,
    OutputArray,
    ParameterValue,
    TileSpec,
    VolumeRequest,
)

_VOXELS_PER_MEGAVOXEL = 1e6


_RAW_SHARE = 0.4
"""What reading, resampling and decoding take beside the network of a tile that is not rescaled;
within a fifth of what was measured with the nuclei models between a quarter and twice the size."""


def work_share(tile: TileSpec, parameters: Mapping[str, ParameterValue]) -> float:
    """Return memory and time of a tile, as a part of those of one that is not rescaled.

    A network that sees nuclei at twice their size works on four or eight times the voxels.
    """
    rule = tile.rescale
    value = None if rule is None else parameters.get(rule.parameter)
    if rule is None or not isinstance(value, int | float) or not value > 0:
        return 1.0
    zoomed = (rule.reference / value) ** len(rule.axes)
    return _RAW_SHARE + (1 - _RAW_SHARE) * zoomed


def rescaled(card: ModelCard, parameters: Mapping[str, ParameterValue]) -> ModelCard:
    """Return a card with the memory and time of its tiles at the scale of these parameters."""
    share, seconds = work_share(card.tile, parameters), card.tile.seconds_per_megavoxel
    figures = {
        "memory_bytes_per_voxel": card.tile.memory_bytes_per_voxel * share,
        "seconds_per_megavoxel": None if seconds is None else seconds * share,
    }
    return card.model_copy(update={"tile": card.tile.model_copy(update=figures)})


def tile_memory_bytes(tile: TileSpec, voxels: int) -> int:
    """Return what one tile of `voxels` needs while it is computed, by the card's figure."""
    return math.ceil(tile.memory_bytes_per_voxel * voxels)


def beside_bytes_per_voxel(others: Sequence[VolumeRequest]) -> int:
    """Return what the images of further inputs add to each voxel of a tile, all their channels."""
    return sum(np.dtype(each.dtype).itemsize * each.shape.get("c", 1) for each in others)


def run_seconds(tile: TileSpec, voxels: int, seconds_per_voxel: float | None) -> float | None:
    """Return the computing time of so many tile voxels, or None if nobody has measured it.

    Parameters
    ----------
    tile
        Its `seconds_per_megavoxel` stands in where the backend has no figure of its own.
    seconds_per_voxel
        The pace of the whole engine here: seconds that pass per tile voxel, with as many tiles
        in the air as it takes.
    """
    if seconds_per_voxel is not None:
        return voxels * seconds_per_voxel
    if tile.seconds_per_megavoxel is None:
        return None
    return voxels / _VOXELS_PER_MEGAVOXEL * tile.seconds_per_megavoxel


def chunk_bytes(volume: VolumeRequest) -> int:
    """Return the decoded size of one chunk of a volume."""
    return math.prod(volume.chunks.values()) * np.dtype(volume.dtype).itemsize


def output_bytes(outputs: Sequence[OutputArray]) -> int:
    """Return the decoded size of all outputs."""
    return sum(
        math.prod(output.shape.values()) * np.dtype(output.dtype).itemsize for output in outputs
    )


def halo_share(tile: Mapping[AxisName, int], block: Mapping[AxisName, int]) -> float:
    """Return the part of the computed voxels that is context, 0 to 1."""
    return 1 - math.prod(block.values()) / math.prod(tile.values())
