"""What a run will take: memory, time and bytes, before it starts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from napari_hmz.schema import AxisName, OutputArray, TileSpec, VolumeRequest

_VOXELS_PER_MEGAVOXEL = 1e6


def tile_memory_bytes(tile: TileSpec, voxels: int) -> int:
    """Return what one tile of `voxels` needs while it is computed, by the card's figure."""
    return math.ceil(tile.memory_bytes_per_voxel * voxels)


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
